"""`python -m graft`: the command line of the Python that is meant, whichever `graft` comes first in the path."""

from graft.cli.ending import ending
from graft.cli.main import main


def run() -> None:
    """Entry point of the console script: the command line, which is all that its process does."""
    try:
        main()
    except SystemExit as end:
        ending.code = int(end.code or 0)
        raise


if __name__ == "__main__":
    run()
