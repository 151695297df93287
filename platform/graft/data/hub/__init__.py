"""Data sets of the Hugging Face library: those that it has saved on a disk, and those that it fetches from the hub."""
