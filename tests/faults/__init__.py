"""Faults, and whether the clinic keeps its promises meanwhile: `python -m tests.faults --help`."""
