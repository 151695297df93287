"""Files of pretrained weights on this machine, and whether they are the ones that are meant."""
