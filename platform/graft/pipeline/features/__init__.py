"""`graft features`: the pooled features of every sample, as a table."""
