"""Write the schemas: `python -m contracts.schemas`. The compatibility test judges what has changed."""

from contracts.schemas import write_all

if __name__ == "__main__":
    write_all()
