"""Traces: the spans that services send to a collector."""
