"""What the journal of an exploration records: each label, with who gave it, when, and why it was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graft.journal.circumstances import Event


@dataclass(frozen=True)
class ExplorationStarted(Event):
    """An exploration began.

    Attributes:
        name: of it.
        pool: where the samples are.
        samples: that can be read.
        settings: what is fixed for all of it.
        asked: how the meta-model was named that its features go through; empty where there is none.
        init: which one that was, with its digest; empty where there is none.
        ids: digest of the ids of those samples, in their order; empty in journals of before it was kept.
        contents: digest of what those samples were, in their order; empty in journals of before it was kept.
    """

    name: str
    pool: str
    samples: int
    settings: Mapping[str, Any]
    asked: str = ""
    init: Mapping[str, Any] = field(default_factory=dict)
    ids: str = ""
    contents: str = ""


@dataclass(frozen=True)
class SamplesProposed(Event):
    """Labels are asked for.

    Attributes:
        samples: which, by their ids.
        role: ``train``, ``audit`` or ``repeat``.
        why: in words.
    """

    samples: tuple[str, ...]
    role: str
    why: str


@dataclass(frozen=True)
class LabelGiven(Event):
    """Somebody answered.

    Attributes:
        sample: by its id.
        label: None where nobody could tell.
        role: as it was asked for.
        by: who.
        why: it was asked for.
    """

    sample: str
    label: str | None
    role: str
    by: str
    why: str


@dataclass(frozen=True)
class LabelWithdrawn(Event):
    """Somebody took the newest answer back.

    Attributes:
        sample: by its id.
        role: as it was asked for.
        by: who.
    """

    sample: str
    role: str
    by: str


@dataclass(frozen=True)
class ExplorationStopped(Event):
    """An exploration came to its end.

    Attributes:
        by: ``reached``, ``cannot be reached`` or ``budget spent``.
        detail: in words.
        standing: what was known then.
    """

    by: str
    detail: str
    standing: Mapping[str, Any]
