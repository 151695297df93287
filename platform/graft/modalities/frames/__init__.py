"""Samples that a program holds as objects: frames, arrays, lists and data sets of other libraries, made into tables."""
