"""Fault injection: does the clinic keep its guarantees? `python -m tests.faults --help`."""
