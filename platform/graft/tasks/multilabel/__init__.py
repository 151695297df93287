"""Multi-label classification: each sample has none, one or several of the labels."""
