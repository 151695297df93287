"""How far an exploration came, for people and for scripts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graft.exploration.labels import Labels
from graft.pipeline.exploration.standing import Standing

WANTED = "labels wanted"
"""Why it stopped for now: whoever labels has not answered yet."""


@dataclass(frozen=True)
class Explored:
    """How far it came.

    Attributes:
        directory: of the exploration.
        stopped_by: why.
        detail: in words.
        standing: what is known.
        bundle: the model; None where there is none.
        wanted: ids of samples whose labels are wanted.
        left_out: why samples are not asked about, by their ids: they cannot be read, or are copies.
        labels: all of them.
        init: what the features start from, as a job has it.
    """

    directory: Path
    stopped_by: str
    detail: str
    standing: Standing
    bundle: Path | None
    wanted: tuple[str, ...]
    left_out: dict[str, str]
    labels: Labels = field(default_factory=Labels)
    init: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be asked."""
        return self.stopped_by != WANTED

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            **self.standing.to_dict(),
            "stopped_by": self.stopped_by,
            "detail": self.detail,
            "bundle": str(self.bundle) if self.bundle else None,
            "wanted": list(self.wanted),
            "left_out": len(self.left_out),
            "init": dict(self.init),
            "directory": str(self.directory),
        }
