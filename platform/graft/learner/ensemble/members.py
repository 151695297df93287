"""The final model of a run as one or several trained networks whose answers are averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from graft.learner.final_model import FinalModel, final_network, outputs_of_views
from graft.learner.pretrained import preprocessing_for
from graft.learner.training_data import TrainingData
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
    strategies = [member.model.strategy for member in members]
    groups = alike([(one.backbone, one.precision, preprocessing_for(data, one)) for one in strategies])
    passes = list(zip(*(_passes(members, some, data, rows, views) for some in groups), strict=True))
    facts = [{**data.arrays.facts, **member.facts} for member in members]
    shares = [member.share for member in members]
    together = [averaged(data.task, in_order(of_view), facts, shares) for of_view in passes]
    seconds = [sum(one.seconds for one in of_view) for of_view in passes]
    first = passes[0][0]
    return Answered(together, first.outputs[0], seconds, first.first_seconds)


def _passes(
    members: Sequence[Member], places: Sequence[int], data: TrainingData, rows: np.ndarray, views: int
) -> list[Passed]:
    """What some who take the same inputs say of the samples as they are, then of each view that they have."""
    models, modality = [members[place].model for place in places], data.modality
    strategy = models[0].strategy
    preprocessing = preprocessing_for(data, strategy)
    networks = (final_network(one, one.open_dataset(), data.num_threads)[0] for one in models)
    together = Together(networks).eval()
    others = modality.test_views(views - 1, modality.invariances(data.data), preprocessing) if views > 1 else ()
    outputs = outputs_of_views(data, together, preprocessing, rows, strategy.precision, others)
    return [together.timed(places, partial(next, outputs)) for _ in range(1 + len(others))]
