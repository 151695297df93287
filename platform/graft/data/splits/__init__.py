"""What splits are called, and how large they are; without numpy."""
