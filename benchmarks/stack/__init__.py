"""The servers that benchmarks use: the running stack, one of their own, scratch databases and topics."""
