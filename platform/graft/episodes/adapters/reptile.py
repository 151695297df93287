"""Adaptation of all weights from an initialisation that is drawn towards those of many tasks."""

from torch import Tensor
from torch.nn import functional

from graft.episodes.adapters.inner_loop import FIVE_STEPS, InnerSteps, called, logits_of, split
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Support
from graft.episodes.starts.protocol import Start
from graft.episodes.task_source import Episode


class Reptile(Maml):
    """θ ← θ + ε · mean(θ′ − θ), θ′ after K steps on a task (Nichol, Achiam & Schulman, *On first-order meta-learning
    algorithms*, 2018, algorithm 1). No gradient flows through the inner loop, whose rate stays as it is.

    Its meta-loss is the mean loss of the queries in value; its gradient in θ is θ − θ′, which any optimiser then takes
    as one (section 2 there).

    Args:
        start: what is adapted.
        inner: the steps, of first order.
        from_prototypes: as for `Maml`.
    """

    def __init__(self, start: Start, inner: InnerSteps = FIVE_STEPS, from_prototypes: bool = False) -> None:
        super().__init__(start, InnerSteps(inner.steps, inner.rate, True), False, from_prototypes)
        self.log_rate.requires_grad_(False)
        if self.head.log_scale is not None:
            self.head.log_scale.requires_grad_(False)

    def loss(self, start: Start, episode: Episode) -> Tensor:
        """A number whose value is the queries' loss, and whose gradient is θ − θ′."""
        weights = self.adapted(start, Support.of(episode))
        body, head = split(weights)
        moments = called(start, body, episode.support, None)[1]
        told = logits_of(called(start, body, episode.query, moments)[0], head)
        value = functional.cross_entropy(told, episode.query_labels).detach()
        own = dict(start.named_parameters())
        pulls = [(one * (one - body[name]).detach()).sum() for name, one in own.items()]
        if self.head.row is not None:
            rows = self.head.row.expand(episode.ways, -1)
            pulls += [
                (rows[:, :-1] * (rows[:, :-1] - head["head.weight"]).detach()).sum(),
                (rows[:, -1] * (rows[:, -1] - head["head.bias"]).detach()).sum(),
            ]
        pull = sum(pulls[1:], pulls[0])
        return value + pull - pull.detach()
