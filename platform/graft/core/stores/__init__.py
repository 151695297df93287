"""Homes in stores: objects by key, the local copy that a node works on, and what is written when (ADR 16)."""
