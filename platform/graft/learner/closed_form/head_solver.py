"""The epoch of a head that is solved: one solve on the features of its training rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from graft.core.errors import Problem, SpecError
from graft.core.heartbeat import Watch, unwatched
from graft.core.seeds import derive_seed
from graft.data.batches import TrainingBatch
from graft.data.targets import Targets
from graft.learner.training_data import TrainingData
from graft.models.network import Network
from graft.spec.components.head import HeadSpec
from graft.spec.registry import call
from graft.spec.strategy import Strategy
from graft.training.loop import Ending, Session, TrainingStatus
from graft.training.plan import PartialEpoch
from graft.transfer.closed_form.problem import Fitting, Solution, portions
from graft.transfer.freezing import copy_tensors

MAX_NUMBERS = 250_000_000
"""Features that a head is fitted to at most: 1 GB of them, of which a solver needs some copies."""

FeaturesOf = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class HeadSolver:
    """Takes the place of training an epoch (`training.loop.TrainEpoch`): solves the head, and the training is over.

    Every rank solves the same problem; the mean makes equal what the processors of two machines round differently.

    Attributes:
        data: what is trained on.
        rows: of the dataset, that the head is fitted to.
        features_of: pooled features float32 [n, F] of rows.
        watch: what the rounds of the solver go through.
        chosen: what it has chosen, by the names of metrics; empty until it has solved.
    """

    data: TrainingData
    rows: np.ndarray
    features_of: FeaturesOf
    watch: Watch
    chosen: dict[str, float] = field(default_factory=dict)

    def __call__(self, session: Session, batches: Iterable[TrainingBatch]) -> Ending | None:
        network, strategy = session.model.network, session.plan.strategy
        rows = fitted_rows(self.rows, network.backbone.num_features, self.data.seed)
        features = torch.from_numpy(self.features_of(rows))
        if network.scaling is not None:
            with torch.no_grad():
                features = network.scaling(features.to(session.device)).cpu()
        if not features.isfinite().all():
            return TrainingStatus.NON_FINITE, f"features of {strategy.backbone} are not finite; take another one"
        solution = solved(strategy.head, self.data, rows, features, self.watch)
        head = inner_head(network)
        copy_tensors(head.state_dict(), dict(solution.state), f"solution of head {strategy.head.kind}")
        session.world.average_(tensor for tensor in head.state_dict().values() if tensor.is_floating_point())
        self.chosen.update({f"model/{name}": value for name, value in solution.facts.items()})
        loss = self._loss(session, head, features, rows)
        session.partial = PartialEpoch(1, len(rows), loss)
        return None

    def _loss(self, session: Session, head: nn.Module, features: Tensor, rows: np.ndarray) -> float:
        """Sum of the losses of the rows."""
        arrays, total = self.data.arrays, 0.0
        weights = None if arrays.weights is None else torch.from_numpy(arrays.weights[rows])
        targets = torch.from_numpy(arrays.targets[rows])
        head.eval()
        with torch.inference_mode():
            for part in portions(len(rows), self.data.task.num_outputs(arrays.names)):
                wanted = targets[part].to(session.device)
                given = [head(features[part].to(session.device)), wanted]
                given += [] if weights is None else [weights[part].to(session.device, torch.float32)]
                total += float(session.loss(*given)) * len(wanted)
        return total


def solved(
    head: HeadSpec, data: TrainingData, rows: np.ndarray, features: Tensor, watch: Watch = unwatched
) -> Solution:
    """Solve a head for some rows of the data.

    Args:
        head: which.
        data: with the targets, the weights, and what rows have in common.
        rows: of the dataset.
        features: of these rows, float32 [n, F], on the CPU.
        watch: what the rounds go through.

    Raises:
        SpecError: the head cannot answer what the task asks.
    """
    arrays, task = data.arrays, data.task
    if task.spec.link not in head.links:
        told = f"is {head.kind}, which cannot be fitted to task {task.spec.kind}; take another head"
        raise SpecError([Problem("strategy.head", told)])
    targets = task.as_linear(Targets(arrays.targets[rows], arrays.names), arrays.facts)
    weights = None if arrays.weights is None else arrays.weights[rows].astype(np.float32)
    if weights is not None:
        weights /= max(float(weights.mean()), 1e-12)
    fitting = Fitting(
        features.float().contiguous(),
        targets,
        None if weights is None else torch.from_numpy(weights),
        None if arrays.kin is None else arrays.kin[rows],
        derive_seed(data.seed, "closed_form"),
        watch,
    )
    solution: Solution = call(head, head, fitting, target=head.solved_by)
    return solution


def inner_head(network: Network) -> nn.Module:
    """The head as its spec has built it, without what scales its features."""
    return network.head if network.scaling is None else network.head[1]  # type: ignore[index]


def fitted_rows(rows: np.ndarray, num_features: int, seed: int) -> np.ndarray:
    """All rows, or as many of them, drawn at random, as have features that fit into memory."""
    most = max(MAX_NUMBERS // num_features, 1)
    if len(rows) <= most:
        return rows
    rng = np.random.default_rng(derive_seed(seed, "fitted rows"))
    return np.sort(rng.choice(rows, most, replace=False))


def note_of(strategy: Strategy, rows: np.ndarray, num_features: int) -> str:
    """What the user should know of a head that is not fitted to all rows; empty if it is."""
    fitted = min(len(rows), max(MAX_NUMBERS // num_features, 1))
    if not strategy.head.is_solved or fitted == len(rows):
        return ""
    return (
        f"head {strategy.head.kind} is fitted to {fitted:,} of {len(rows):,} rows, drawn at random: "
        f"the {num_features} features of more do not fit into memory"
    )


def require_frozen(strategy: Strategy, cut: int, num_blocks: int) -> None:
    """Raise if a head that is solved sits on blocks that would be trained.

    Raises:
        SpecError: it does.
    """
    if strategy.head.is_solved and cut < num_blocks:
        told = (
            f"is {strategy.head.kind}, which is solved on features that stay as they are, "
            f"but strategy.freeze is {strategy.freeze:g}; set it to 1, or take head linear"
        )
        raise SpecError([Problem("strategy.head", told)])
