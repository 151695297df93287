"""The machines of a cluster while a run works on them: which of them falls silent, is lost, or is about to be taken."""
