"""Kinds of data that hold samples of any modality: which one a job says, and each modality lists its own."""
