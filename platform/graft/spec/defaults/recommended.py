"""What is tried where a job says nothing of it: the form in which a modality recommends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recommended:
    """What to search.

    Attributes:
        space: keys of `strategy`, as a job file has them.
        first: strategies that are tried before any is drawn, the most promising one first.
        views: of a sample whose predictions are averaged in the end (`export.tta`).
    """

    space: Mapping[str, Any]
    first: tuple[Mapping[str, Any], ...] = ()
    views: int = 1
