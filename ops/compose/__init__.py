"""One server with everything on it, by Docker Compose: `python3 -m ops.compose` with nothing installed."""
