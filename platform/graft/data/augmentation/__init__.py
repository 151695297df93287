"""Random changes of samples, whatever they are: their random numbers."""
