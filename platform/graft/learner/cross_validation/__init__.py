"""A strategy scored by the models of several folds."""
