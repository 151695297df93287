"""The task memory in a run: what it is asked, and what it is told."""
