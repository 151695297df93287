"""The head of a few-shot candidate for some rows: solved in closed form, or adapted by gradient from a meta-model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from graft.core.errors import SpecError
from graft.episodes.adapters.by_gradient import ByGradient
from graft.episodes.adapters.protocol import Support
from graft.episodes.samples import FEATURES
from graft.learner.closed_form.head_solver import inner_head, solved
from graft.learner.mapped.meta_map import fill_adapted, open_meta_model
from graft.learner.training_data import TrainingData
from graft.models.network import Network, head_of
from graft.spec.components.head import LinearHead
from graft.spec.components.initialisation import MetaLearned
from graft.spec.meta.adapters import AdapterSpec
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.transfer.freezing import copy_tensors


@dataclass(frozen=True)
class Method:
    """How a head comes about.

    Attributes:
        strategy: with the head as a bundle has it.
        adapter: that makes it by gradient; None for a head that is solved.
    """

    strategy: Strategy
    adapter: AdapterSpec | None = None

    @property
    def kind(self) -> str:
        """Of the adapter, or of the head."""
        return self.strategy.head.kind if self.adapter is None else self.adapter.kind


def adapted_methods(strategy: Strategy, named: Sequence[AdapterSpec]) -> Iterator[Method]:
    """The meta-model's own adapter, where that goes by gradient, and those that were named; none without a map."""
    if not isinstance(strategy.init, MetaLearned):
        return
    own = open_meta_model(strategy.init).spec.adapter
    wanted = {one.kind: one for one in (*([] if own.is_solved else [own]), *named)}
    linear = strategy.model_copy(update={"head": LinearHead()})
    yield from (Method(linear, own if kind == own.kind else one) for kind, one in wanted.items())


def head_for(data: TrainingData, network: Network, method: Method, features: Tensor, rows: np.ndarray) -> nn.Module:
    """The head of some rows, with the map in front of it where the network has one.

    Args:
        data: with the targets.
        network: whose features they are; its head is not looked at, but for that map.
        method: how.
        features: of these rows, float32 [n, F].
        rows: of the dataset.
    """
    head = head_of(method.strategy, network.backbone, data.task.num_outputs(data.arrays.names))
    new = Network(network.backbone, head)
    if network.scaling is not None and new.scaling is not None:
        new.scaling.load_state_dict(network.scaling.state_dict())
    fill = _solve if method.adapter is None else _adapt
    fill(new, data, method, (features, rows))
    return head.eval()


def _solve(network: Network, data: TrainingData, method: Method, given: tuple[Tensor, np.ndarray]) -> None:
    features, rows = given
    with torch.no_grad():
        vectors = features if network.scaling is None else network.scaling(features)
    solution = solved(method.strategy.head, data, rows, vectors)
    kind = method.strategy.head.kind
    copy_tensors(inner_head(network).state_dict(), dict(solution.state), f"solution of head {kind}")


def _adapt(network: Network, data: TrainingData, method: Method, given: tuple[Tensor, np.ndarray]) -> None:
    """With the rates that were meta-learned, where the meta-model has such an adapter."""
    features, rows = given
    spec, head = method.adapter, network.head
    assert spec is not None, "it is adapted"
    assert isinstance(method.strategy.init, MetaLearned), "only a map is adapted"
    assert isinstance(head, nn.Sequential), "which is in front of the head"
    model = open_meta_model(method.strategy.init)
    learned = model.build()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(data.seed)  # an update of low rank begins at random, unless it was meta-learned
        adapter = learned.adapter if spec == model.spec.adapter else build(spec, learned.start)
    if not isinstance(adapter, ByGradient):
        raise SpecError(f"--adapter is {method.kind}, which gives no weights of a task; name another")
    labels = torch.from_numpy(data.arrays.targets[rows].astype(np.int64))
    support = Support({FEATURES: features}, labels, data.task.num_outputs(data.arrays.names))
    weights = adapter.adapted(learned.start, support)
    fill_adapted(head, learned.start, {name: one.detach() for name, one in weights.items()})
