"""Directories of labelled files: `walk` reads the names, `meaning` decides what they say; neither opens a file."""
