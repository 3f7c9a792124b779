"""The last release and this one, running together."""
