"""The files of a bundle. No torch here: whether a directory is one is asked before a network is built."""

MANIFEST, WEIGHTS, TARGETS, PREPROCESSING = "manifest.json", "weights.safetensors", "targets.json", "preprocessing.json"
