"""`graft meta-train`: from a job to a meta-model."""
