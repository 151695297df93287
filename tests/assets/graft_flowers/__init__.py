"""A package of somebody else: one component of every kind, added to graft by entry points alone."""
