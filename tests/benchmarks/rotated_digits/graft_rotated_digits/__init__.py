"""A kind of data that graft does not have, added as a package of somebody else adds one: by an entry point.

There is nothing to install: the folder above, with the `.dist-info` beside this package, goes on PYTHONPATH.
"""
