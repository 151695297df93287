"""Pretrained networks as backbones, their weights, the heads on them, and the bundle that is deployed."""
