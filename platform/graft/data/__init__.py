"""From the user's samples to arrays that every trial shares, and from those to batches."""
