"""Tables of samples with labels, in every form that users keep them in."""
