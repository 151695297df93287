"""Learning curves of trials that are not over, or have not begun, by those of earlier tasks."""
