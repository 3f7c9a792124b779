"""Benchmarks over HTTP, and the load that they put on the ingress."""
