"""Heads that are solved instead of trained, as the learner sees them."""
