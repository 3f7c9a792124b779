"""`python -m ops.cli`: what `clinic` does."""

from ops.cli import main

if __name__ == "__main__":
    main()
