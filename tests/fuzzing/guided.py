"""One target, guided by coverage: `python -m tests.fuzzing.guided TARGET FOLDER`, and libFuzzer's options."""

import sys

import atheris

# Instrumented as they are imported: the parsers, and the libraries that they are made of.
PARTS = [
    "contracts",
    "infra",
    "ingress",
    "storage",
    "tests.fuzzing",
    "jwt",
    "idna",
    "json",
    "uvicorn",
    "webauthn",
]

if __name__ == "__main__":
    with atheris.instrument_imports(include=PARTS):
        from tests.fuzzing.targets import TARGETS
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
