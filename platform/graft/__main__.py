"""`python -m graft`: the command line of the Python that is meant, whichever `graft` comes first in the path."""

from graft.cli.main import main

if __name__ == "__main__":
    main()
