"""Classification: each sample is of one of several classes."""
