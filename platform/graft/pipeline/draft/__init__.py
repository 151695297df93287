"""A job made from a look at the data: `draft_job` decides, `render` writes it as a commented file."""
