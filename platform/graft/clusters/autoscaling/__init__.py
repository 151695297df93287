"""What an autoscaler makes of a search, played through: nodes over time, and what they cost. No Ray."""
