"""Write the schemas: `python -m contracts.schemas`. The compatibility test checks the changes."""

from contracts.schemas import write_all

if __name__ == "__main__":
    write_all()
