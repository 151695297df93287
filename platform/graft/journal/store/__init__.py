"""The journal of a home in a store: its parts, the lease of their writer, the file that follows them (ADR 16)."""
