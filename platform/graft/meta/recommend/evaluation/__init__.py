"""How good recommendations are, on tasks that are held out."""
