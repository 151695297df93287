"""A linear head that starts where a solved one stands (`strategy.head_start: closed_form`)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graft.learner.closed_form.head_solver import FeaturesOf, fitted_rows, inner_head, solved
from graft.learner.training_data import TrainingData
from graft.spec.components.head import HeadSpec, LogisticHead, RidgeHead
from graft.spec.components.head_start import ClosedFormStart
from graft.spec.registry import call
from graft.tasks.protocol import LossFunction
from graft.training.session import Session
from graft.transfer.freezing import copy_tensors

_HALVINGS = 20


@dataclass(frozen=True)
class Beginning:
    """A training that has not begun.

    Attributes:
        session: its head is changed in place.
        data: what it is trained on.
        rows: of the dataset, that it is trained on.
        features_of: pooled features float32 [n, F] of rows, by the backbone as it starts.
    """

    session: Session
    data: TrainingData
    rows: np.ndarray
    features_of: FeaturesOf


def begin_head(beginning: Beginning) -> None:
    """Put the head of a training where its strategy says that it starts.

    Raises:
        SpecError: the start is another package's, and does not work.
    """
    spec = beginning.session.plan.strategy.head_start
    call(spec, spec, beginning, target=spec.started_by)


def start_solved(spec: ClosedFormStart, beginning: Beginning) -> None:
    """Put a solved head, with its logits scaled down, into a session that has not begun.

    The same rows give the same start, on every rank: what processors of two machines round differently is averaged.
    """
    session, data = beginning.session, beginning.data
    network = session.model.network
    some = fitted_rows(beginning.rows, network.backbone.num_features, data.seed)
    features = torch.from_numpy(beginning.features_of(some))
    if network.scaling is not None:
        with torch.no_grad():
            features = network.scaling(features.to(session.device)).cpu()
    is_of_values = data.task.spec.link == "identity"
    head: HeadSpec = RidgeHead() if is_of_values else LogisticHead()
    state = {name: one.to(session.device) for name, one in solved(head, data, some, features).state.items()}
    if not is_of_values:
        targets = torch.from_numpy(data.arrays.targets[some]).to(session.device)
        scale = _scale(state, features.to(session.device), targets, session.loss, spec.level)
        state = {name: tensor * scale for name, tensor in state.items()}
    own = inner_head(network).state_dict()
    copy_tensors(own, state, "solved head")
    session.world.average_(own.values())


def _scale(state: dict[str, Tensor], features: Tensor, targets: Tensor, loss: LossFunction, level: float) -> float:
    """The smallest factor of the logits that brings the mean loss down to a level; 1 if none does."""
    logits = features @ state["1.weight"].T + state["1.bias"]

    def at(scale: float) -> float:
        return float(loss(scale * logits, targets))

    wanted = level * at(0.0)
    if at(1.0) > wanted:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if at(middle) <= wanted else (middle, high)
    return high
