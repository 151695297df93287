"""What may be known of an exploration."""

from typing import Any

from graft.exploration.noise import LabelNoise
from graft.pipeline.exploration.standing import Standing


def standing(**given: Any) -> Standing:
    """A standing in which little is known."""
    usual: dict[str, Any] = {
        "labels": 0, "audit_labels": 0, "estimate": None, "interval": (0.0, 1.0), "certified": False,
        "expected": None, "noise": LabelNoise(), "classes": (), "left": 10,
    }  # fmt: skip
    return Standing(**(usual | given))
