"""How well frozen features suit a task, told in closed form: scores that rank backbones, depths and resolutions."""
