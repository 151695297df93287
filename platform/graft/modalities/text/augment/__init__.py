"""Random changes of texts, on their tokens, in batches."""
