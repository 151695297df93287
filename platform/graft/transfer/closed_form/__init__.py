"""Heads that are solved rather than trained: one linear problem on the features of frozen blocks."""
