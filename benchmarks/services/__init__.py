"""Benchmarks of the worker, the auditor and the notifier: each processes a backlog."""
