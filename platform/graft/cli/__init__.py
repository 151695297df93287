"""The command line. Commands make a hundred thousand objects on their way to the first line, of which none is garbage:
they are not looked through every seven hundred, nor at the end, when the process gives all of them back."""

import atexit
import gc

from graft.cli.ending import ending

gc.set_threshold(100_000)
atexit.register(ending)  # what is registered first is called last
