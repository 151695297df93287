"""Weights of one network brought to another: paired, reshaped where that is sound, grown where it is larger."""
