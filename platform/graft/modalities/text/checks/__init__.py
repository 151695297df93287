"""What may be wrong with texts, and what mends it."""
