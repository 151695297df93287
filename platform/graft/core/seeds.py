"""Seeds derived from one root seed, so that every random choice is reproducible and none shares a stream."""

import hashlib


def derive_seed(root: int, *parts: str | int) -> int:
    """A 31-bit seed for one purpose, e.g. ``derive_seed(seed, "order", epoch)``."""
    return int.from_bytes(_digest(root, *parts)[:4], "big") & 0x7FFFFFFF


def derive_key(root: int, *parts: str | int) -> int:
    """A 64-bit key for one purpose: where a counter-based generator starts from."""
    return int.from_bytes(_digest(root, *parts)[:8], "big")


def _digest(root: int, *parts: str | int) -> bytes:
    return hashlib.sha256("\x1f".join(str(part) for part in (root, *parts)).encode()).digest()
