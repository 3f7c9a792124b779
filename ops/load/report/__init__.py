"""The report of a load test: one HTML file with charts, which needs nothing else and runs no scripts."""
