"""Samples that are decoded anew in every epoch, because they do not fit on the disk in the form that is trained on."""
