"""Bytes of samples that are no files of their own, and files that others name."""
