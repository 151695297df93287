"""Parquet and Arrow files in parts: row groups, cells, and how large either becomes."""
