"""Short trainings before a run, for what a job could say better."""
