"""A page in a browser of this machine, where a person looks at samples and says what they are."""
