"""Whether this machine and what is installed on it can run a job: a check a question, each with what to do."""
