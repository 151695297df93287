"""Regression: each sample has a number, or one for each of several targets."""
