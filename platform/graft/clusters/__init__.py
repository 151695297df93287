"""Files that make a Ray cluster: checked by Ray's own schema and our rules, and written for a provider and a size."""
