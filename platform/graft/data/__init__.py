"""From the user's images to uint8 arrays that every trial shares, and from those to batches."""
