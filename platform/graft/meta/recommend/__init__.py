"""What is worth trying on a new task, learned from earlier ones and from scores of its own features."""
