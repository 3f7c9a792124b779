"""Seeded defects of the product, each in a copy of its source: the checker has to find every one.

`python -m tests.faults.bugs --help`
"""
