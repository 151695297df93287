"""The final model of a run as one or several trained networks whose answers are averaged."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from graft.learner.final_model import FinalModel, final_network, outputs_of_views
from graft.learner.training_data import TrainingData
from graft.tasks.averaging import averaged


@dataclass(frozen=True)
class Member:
    """One of them.

    Attributes:
        model: where its weights are.
        share: how much its answers count; those of all members add up to 1.
        facts: what it was calibrated by, beside the facts of the data.
        trial: whose strategy it has.
    """

    model: FinalModel
    share: float = 1.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    trial: str = ""


@dataclass(frozen=True)
class Answered:
    """Outputs [N, K] for the samples as they are, then for each view of them; and what it took.

    Attributes:
        outputs: of all members together, by views.
        alone: of the first member, for the samples as they are.
        seconds: of all members, by views.
        seconds_alone: of the first member.
    """

    outputs: Sequence[Tensor]
    alone: Tensor
    seconds: Sequence[float]
    seconds_alone: float


def answer(members: Sequence[Member], data: TrainingData, rows: np.ndarray, views: int = 1) -> Answered:
    """What a final model says of some rows, and of so many views of each.

    Raises:
        ArtifactError: the weights of a member are damaged.
    """
    found = [list(_passes(member, data, rows, views)) for member in members]
    facts = [{**data.arrays.facts, **member.facts} for member in members]
    shares = [member.share for member in members]
    together = [averaged(data.task, [one[0] for one in some], facts, shares) for some in zip(*found, strict=True)]
    seconds = [sum(one[1] for one in some) for some in zip(*found, strict=True)]
    return Answered(together, found[0][0][0], seconds, found[0][0][1])


def _passes(member: Member, data: TrainingData, rows: np.ndarray, views: int) -> Iterator[tuple[Tensor, float]]:
    """Outputs and seconds for the samples as they are, then for each view that they have."""
    network, preprocessing = final_network(member.model, member.model.open_dataset(), data.num_threads)
    modality = data.modality
    others = modality.test_views(views - 1, modality.invariances(data.data), preprocessing) if views > 1 else ()
    passes = outputs_of_views(data, network, preprocessing, rows, member.model.strategy.precision, others)
    began = time.perf_counter()
    for one in passes:
        outputs = one.cpu()  # on a GPU, this waits for the pass
        yield outputs, time.perf_counter() - began
        began = time.perf_counter()
