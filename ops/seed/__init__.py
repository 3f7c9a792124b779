"""Sample data for a clinic, sent as ordinary commands: `demo` is small, `clinic` is a whole quarter."""
