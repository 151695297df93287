"""What every adapter is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.core.errors import SpecError
from graft.episodes.samples import Inputs
from graft.episodes.starts.protocol import Start
from graft.episodes.task_source import Episode

Answer = Callable[[Inputs], Tensor]
"""Inputs of n queries to logits [n, ways]; the answer to one does not depend on the others."""
Head = Callable[[Tensor], Tensor]
"""Vectors [n, D] to logits [n, ways]."""


@dataclass(frozen=True)
class Support:
    """What a task tells.

    Attributes:
        inputs: of S labelled samples.
        labels: int64 [S], of 0 to ways - 1.
        ways: number of classes.
        pool: inputs of unlabelled samples of the same classes, where the caller has them all at once; only an adapter
            that `uses_pool` looks at them.
    """

    inputs: Inputs
    labels: Tensor
    ways: int
    pool: Inputs | None = None

    @classmethod
    def of(cls, episode: Episode, with_queries: bool = False) -> "Support":
        """What an episode tells; with its queries as the pool, where the task is transductive."""
        return cls(episode.support, episode.support_labels, episode.ways, episode.query if with_queries else None)


class Adapter(nn.Module):
    """Adapts a start to a task. Its parameters, such as rates of an inner loop, are meta-learned with the start's.

    Attributes:
        uses_pool: whether unlabelled samples of the task change its answers.
        is_learned_through: whether a meta-loss has a gradient through it.
        is_closed_form: whether it is a function of the start's vectors alone, so that they can be made once.
    """

    uses_pool: ClassVar[bool] = False
    is_learned_through: ClassVar[bool] = True
    is_closed_form: ClassVar[bool] = False

    def adapt(self, start: Start, support: Support) -> Answer:
        """What answers queries of the task."""
        raise NotImplementedError

    def loss(self, start: Start, episode: Episode) -> Tensor:
        """The meta-loss of one task: cross-entropy of its queries after adaptation."""
        answer = self.adapt(start, Support.of(episode))
        return functional.cross_entropy(answer(episode.query), episode.query_labels)


class ClosedForm(Adapter):
    """Solved on the vectors of the support."""

    is_closed_form: ClassVar[bool] = True

    def head(self, vectors: Tensor, labels: Tensor, ways: int, pool: Tensor | None = None) -> Head:
        """Solve.

        Args:
            vectors: [S, D], of the support.
            labels: int64 [S].
            ways: number of classes.
            pool: [P, D], of unlabelled samples.
        """
        raise NotImplementedError

    def left_out(self, vectors: Tensor, labels: Tensor, ways: int) -> Tensor:
        """Logits [S, ways] of each support sample by the head that was solved without it, by S solutions.

        A class with one sample is unknown to the head that judges it.
        """
        rows = torch.arange(len(labels))
        found = [self.head(vectors[rows != one], labels[rows != one], ways)(vectors[one : one + 1]) for one in rows]
        return torch.cat(found)

    def adapt(self, start: Start, support: Support) -> Answer:
        """The head on the start's vectors, normalised as the support was."""
        vectors, moments = start(support.inputs, None if start.training else start.fixed())
        pool = None
        if support.pool is not None and self.uses_pool:
            pool = start(support.pool, moments)[0]
        head = self.head(vectors, support.labels, support.ways, pool)
        return lambda queries: head(start(queries, moments)[0])


def probabilities(start: Start, adapter: Adapter, support: Support, queries: Inputs) -> Tensor:
    """[n, ways], what an adapted start holds queries to be."""
    return adapter.adapt(start, support)(queries).detach().softmax(dim=1)


def one_hot(labels: Tensor, ways: int) -> Tensor:
    """float32 [S, ways]; also where tasks are mapped over."""
    return (labels.unsqueeze(-1) == torch.arange(ways, device=labels.device)).float()


def require_task(labels: Tensor, ways: int) -> None:
    """Raise if labelled samples are no task.

    Raises:
        SpecError: there are fewer than two classes, or a class without a sample.
    """
    found = torch.bincount(labels, minlength=ways)
    if ways < 2:
        classes = "1 class" if ways == 1 else f"{ways} classes"
        raise SpecError(f"the task has {classes}, but must have 2 at least; add samples of another")
    if len(found) > ways or not bool((found > 0).all()):
        lacking = int((found[:ways] == 0).sum())
        raise SpecError(f"{lacking} of {ways} classes have no sample, but each must have one; leave them out, or add")
