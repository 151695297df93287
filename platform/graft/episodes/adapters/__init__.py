"""How a start is adapted to a task: in closed form on its vectors, or by gradient."""
