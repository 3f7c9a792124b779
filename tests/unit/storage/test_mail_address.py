"""When two mail addresses are one (RFC 5321, section 2.4; RFC 6532, section 3.1)."""

import pytest

from storage.mail_address import comparable, written


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("Ada.Holm@Example.org", "ada.holm@eXAMPLE.ORG"),
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        ("x@BÜCHER.example", "X@XN--BCHER-KVA.example"),
        ("x@bu\u0308cher.example", "x@bücher.example"),
        ("jos\u00e9@example.org", "Jose\u0301@example.org"),
        ("x@bücher。example", "x@bücher.example"),
    ],
)
def test_spellings_of_one_address(address: str, same: str) -> None:
    assert comparable(address) == comparable(same)


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("a1@strasse.example", "a1@straße.example"),
        ("gross@example.org", "groß@example.org"),
        ("josé@example.org", "JOSÉ@example.org"),
        ("ada@example.org", "\uff41da@example.org"),
        ("fi@example.org", "\ufb01@example.org"),
        ("ada@example.org", "ada@example.com"),
        ("a.da@example.org", "ada@example.org"),
        ("ı@example.org", "i@example.org"),
    ],
)
def test_two_addresses(address: str, other: str) -> None:
    assert comparable(address) != comparable(other)


@pytest.mark.parametrize("address", ["jörg@example.org", "用户@example.org"])
def test_a_local_part_beyond_ascii_needs_a_server_for_it(address: str) -> None:
    assert written(address, smtputf8=True) == address
    with pytest.raises(ValueError, match="SMTPUTF8"):
        written(address, smtputf8=False)


@pytest.mark.parametrize(
    "address",
    [
        "jö\u00a0rg@example.org",
        "jö\u200brg@example.org",
        "jö\u202erg@example.org",
        "jö\ud800rg@example.org",
        "ö" * 33 + "@example.org",
        "ada@\ud800.example",
        "ada@-ü.example",
        "ada@☃.example",
    ],
)
def test_what_cannot_be_written_to_even_then(address: str) -> None:
    comparable(address)
    with pytest.raises(ValueError, match="the mail address"):
        written(address, smtputf8=True)
