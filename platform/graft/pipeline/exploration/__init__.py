"""`graft explore`: a pool, whoever labels it, the journal of the answers, and the model in the end."""
