"""Cluster files to start from, a file a provider, with `@NAME@` where a size or the user has a say."""
