"""The final model of a run as one or several trained networks whose answers are averaged."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.learner.final_model import FinalModel, final_network, outputs_of_views
from graft.learner.pretrained import preprocessing_for
from graft.learner.training_data import TrainingData
from graft.models.network import Network
from graft.models.structure.together import Passed, Together, alike, in_order
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
    groups = alike([_takes(member, data) for member in members])
    found = [_passes(Together(_loaded(members, some, data)), members[some[0]], data, rows, views) for some in groups]
    passes = list(zip(*found, strict=True))
    facts = [{**data.arrays.facts, **member.facts} for member in members]
    shares = [member.share for member in members]
    together = [averaged(data.task, in_order(of_view), facts, shares) for of_view in passes]
    seconds = [sum(one.seconds for one in of_view) for of_view in passes]
    first = passes[0][0]
    return Answered(together, first.outputs[0], seconds, first.first_seconds)


def hear(members: Sequence[Member], data: TrainingData, rows: np.ndarray) -> dict[int, Tensor]:
    """What each says of some rows by itself, outputs [N, K] by its place; whose weights are damaged is not there.

    Heads that were solved are heard together. Of networks that were trained, which may be many and have less in common,
    one at a time is in memory.
    """
    found: dict[int, Tensor] = {}
    solved = [member.model.strategy.head.is_solved for member in members]
    turns = [(_takes(one, data), None if solved[place] else place) for place, one in enumerate(members)]
    for some in alike(turns):
        together = Together(_readable(members, some, data))
        if together.names:
            found |= _passes(together, members[some[0]], data, rows)[0].outputs
    return found


def _takes(member: Member, data: TrainingData) -> tuple[Any, ...]:
    """What members must agree in to be given the same batches, and to compute them alike."""
    strategy = member.model.strategy
    return strategy.backbone, strategy.precision, preprocessing_for(data, strategy)


def _loaded(members: Sequence[Member], places: Sequence[int], data: TrainingData) -> Iterator[tuple[int, Network]]:
    for place in places:
        model = members[place].model
        yield place, final_network(model, model.open_dataset(), data.num_threads)[0]


def _readable(members: Sequence[Member], places: Sequence[int], data: TrainingData) -> Iterator[tuple[int, Network]]:
    for place in places:
        with contextlib.suppress(ArtifactError):
            yield from _loaded(members, [place], data)


def _passes(together: Together, one: Member, data: TrainingData, rows: np.ndarray, views: int = 1) -> list[Passed]:
    """What networks say of the samples as they are, then of each view that they have; all take what `one` does."""
    strategy, modality = one.model.strategy, data.modality
    preprocessing = preprocessing_for(data, strategy)
    others = modality.test_views(views - 1, modality.invariances(data.data), preprocessing) if views > 1 else ()
    outputs = outputs_of_views(data, together.eval(), preprocessing, rows, strategy.precision, others)
    return [together.timed(partial(next, outputs)) for _ in range(1 + len(others))]
