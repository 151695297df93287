"""The phases of a training: what rests while the head trains alone is computed once."""
