"""NumPy's files: what their headers say, and their values, of which none can run code."""
