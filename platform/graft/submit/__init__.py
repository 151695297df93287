"""Jobs sent to a Ray cluster from a machine that need not be part of it, and followed from there."""
