"""Records of what comes out of a search: finalists, the winner, who answers with it, how good the final model is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graft.journal.circumstances import Event


@dataclass(frozen=True)
class TrialEstimated(Event):
    """A finalist of the search was scored by folds.

    Attributes:
        metrics: name -> mean over the folds; of the job's metric also ``<metric>_low`` and ``<metric>_high``.
        seconds: that it took.
    """

    trial: str
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class WinnerChosen(Event):
    """The trial whose strategy is fitted for good."""

    trial: str
    reason: str


@dataclass(frozen=True)
class EnsembleChosen(Event):
    """Whose answers the final model averages, or why it has the winner's alone.

    Attributes:
        shares: trial -> how much it counts, the winner first; together 1. What was selected, kept or not.
        is_kept: whether the final model has these members.
        score: of the ensemble, on validation rows that its selection has not seen; None if nothing was selected.
        alone: of the winner on the same rows.
        reason: one line that says why.
    """

    shares: Mapping[str, float]
    is_kept: bool
    score: float | None
    alone: float | None
    reason: str


@dataclass(frozen=True)
class Evaluated(Event):
    """The final model was scored on the test data.

    Attributes:
        metrics: name -> value.
        intervals: name -> (low, high), 95 %.
        tta: name -> value, for the mean of predictions over several views of each sample; empty if that was not asked.
        alone: name -> value, for the first member of an ensemble by itself; empty where the model is no ensemble.
        ms: milliseconds a sample of the final model, and ``alone`` of that member; empty where it is no ensemble.
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tta: Mapping[str, float] = field(default_factory=dict)
    alone: Mapping[str, float] = field(default_factory=dict)
    ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class MetaModelMade(Event):
    """A meta-training has left a meta-model.

    Attributes:
        name: what it is called.
        digest: sha256 of its weights.
        backbone: whose features it is given; empty if it reads samples themselves.
        backbone_digest: sha256 of that backbone's weights.
        tasks: what it was learned on, in turn, each ``{"source": …, "dataset": …, "classes": […]}``.
        role: ``champion``: it is used from now on; ``challenger``: the earlier one is.
        reason: one line that says why.
    """

    name: str
    digest: str
    backbone: str
    backbone_digest: str
    tasks: tuple[Mapping[str, Any], ...]
    role: str
    reason: str


@dataclass(frozen=True)
class ModelRegistered(Event):
    """The bundle is a version of a registered model.

    Attributes:
        digest: of the bundle's files (`directory_digest`); what is loaded later must be these. Empty in old journals.
    """

    uri: str
    version: str
    digest: str = ""
