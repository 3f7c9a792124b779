"""What `clinic audit` does."""
