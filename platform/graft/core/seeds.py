"""Seeds derived from one root seed, so that every random choice is reproducible and none shares a stream."""

import hashlib


def derive_seed(root: int, *parts: str | int) -> int:
    """A 31-bit seed for one purpose, e.g. ``derive_seed(seed, "augment", epoch)``."""
    text = "\x1f".join(str(part) for part in (root, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
