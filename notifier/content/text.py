"""Text from outside, made fit to stand in a notification, or refused. What is refused is never shown."""

import re
import unicodedata

# Embeddings, overrides, isolates and marks: they would turn round what stands beside them.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}


def single_line(text: str, field: str) -> str:
    """The text, if it is a single line of printable characters. `field` names it in the error.

    Raises:
        ValueError: it holds a control character, a line break of any kind, or half a surrogate pair.
    """
    if any(unicodedata.category(character) in _FORBIDDEN for character in text):
        raise ValueError(f"{field} holds control characters")
    return _BIDI.sub("", text)
