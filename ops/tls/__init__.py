"""TLS of the clinic's own: an authority, and a process that does TLS for servers that cannot."""
