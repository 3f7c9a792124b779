"""The commands of `clinic audit`."""
