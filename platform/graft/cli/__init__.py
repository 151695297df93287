"""The command line. Commands make a hundred thousand objects on their way to the first line, of which none is garbage:
they are not looked through every seven hundred."""

import gc

gc.set_threshold(100_000)
