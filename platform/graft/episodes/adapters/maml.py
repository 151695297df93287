"""Adaptation of all weights by a few gradient steps from a meta-learned initialisation."""

import math

import torch
from torch import Tensor, nn

from graft.episodes.adapters.by_gradient import ByGradient
from graft.episodes.adapters.inner_loop import FIVE_STEPS, InnerSteps, TaskHead, Weights, adapted
from graft.episodes.adapters.protocol import Support, one_hot
from graft.episodes.starts.protocol import Start


class Maml(ByGradient):
    """θ′ = θ − α ∇ L_support(θ), K times; min over θ of Σ L_query(θ′) (Finn, Abbeel & Levine, *Model-agnostic
    meta-learning*, ICML 2017, equation 1; first order: their section 5.2).

    With rates of its own for each weight, α is meta-learned as θ is (Li, Zhou, Chen & Li, *Meta-SGD*, 2017). Batch
    normalisation takes the moments of the support, also for the queries, so that these do not change one another's
    answers.

    Args:
        start: what is adapted; its shapes decide how many rates there are.
        inner: the steps.
        own_rates: whether each weight has a rate of its own.
        from_prototypes: whether the head of a task starts from its prototypes.
    """

    def __init__(
        self, start: Start, inner: InnerSteps = FIVE_STEPS, own_rates: bool = False, from_prototypes: bool = True
    ) -> None:
        super().__init__()
        self.inner = inner
        self.head = TaskHead(start.width, from_prototypes)
        self.names = tuple(name for name, _ in start.named_parameters())
        begun = math.log(inner.rate)
        self.log_rate = nn.Parameter(torch.tensor(begun))  # of the head, and of all where they share one
        shapes = [one.shape for _, one in start.named_parameters()] if own_rates else []
        self.log_rates = nn.ParameterList(torch.full(shape, begun) for shape in shapes)

    def rates(self) -> Weights | Tensor:
        """α: one for all, or one for each weight by name."""
        if not len(self.log_rates):
            return self.log_rate.exp()
        own = {name: one.exp() for name, one in zip(self.names, self.log_rates, strict=True)}
        return own | dict.fromkeys(("head.weight", "head.bias"), self.log_rate.exp())

    def adapted(self, start: Start, support: Support) -> Weights:
        """All weights of the task."""
        members = one_hot(support.labels, support.ways)
        begun = self.head.begin(start(support.inputs)[0], members)
        weights = {**dict(start.named_parameters()), **begun}
        return adapted(start, weights, (support.inputs, support.labels), self.rates(), self.inner)
