"""Which samples of a pool are worth a label, and when enough is known.

Proposers, the certificate and the decisions of the loop: nothing is asked, read or written here
(`graft.pipeline.exploration` does that).
"""
