"""Several trials as one final model: who is in it, and what it answers."""
