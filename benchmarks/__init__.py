"""What the running stack can do: `python -m benchmarks` prints figures and asserts nothing."""
