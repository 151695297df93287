"""A model of a few labelled samples a class, in seconds: heads in closed form, chosen by held-out samples."""
