"""Quantities as Kubernetes writes them."""

import re

from graft.core.errors import Problem, SpecError

_QUANTITY = re.compile(r"((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([mkKMGTP]|[KMGTP]i)?", re.ASCII)
_FACTORS = {"m": 1e-3, "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    f"{letter}i": 1024.0 ** (place + 1) for place, letter in enumerate("KMGTP")
}


def quantity(key: str, text: str | int | float) -> float:
    """A quantity as Kubernetes writes it: ``4``, ``"500m"``, ``32Gi``.

    Args:
        key: where it stands.
        text: as it stands there.

    Raises:
        SpecError: it is none.
    """
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise SpecError([Problem(key, f"is `{text}`, but must be a quantity such as 4, 500m or 32Gi; mend it")])
    return float(found[1]) * _FACTORS[found[2] or ""]
