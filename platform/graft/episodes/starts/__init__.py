"""Where adaptation starts: what turns the inputs of samples into vectors, frozen or meta-learned."""
