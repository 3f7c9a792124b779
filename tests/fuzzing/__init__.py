"""Fuzzing: input that nobody would think of, for every parser and every operation over HTTP."""
