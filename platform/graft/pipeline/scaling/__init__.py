"""What a job makes of a cluster that grows and shrinks: its nodes over time, what they cost, whether it fits."""
