"""Archives of samples: what lies in them, and where, without unpacking anything."""
