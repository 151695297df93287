"""Texts: tables and folders of them, their tokens, and the networks that read them."""
