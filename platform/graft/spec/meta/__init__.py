"""What a job of meta-training says: where adaptation starts, how it adapts, which tasks, and how long."""
