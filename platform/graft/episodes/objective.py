"""The meta-loss as a module, so that what wraps modules for several processes wraps all of it."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import vmap

from graft.episodes.adapters.protocol import Adapter
from graft.episodes.samples import Inputs
from graft.episodes.starts.protocol import Start
from graft.episodes.task_source import Episode

Over = Literal["auto", "vmap", "loop"]


class MetaLoss(nn.Module):
    """The mean meta-loss of a batch of tasks: E over tasks of L_query(adapt(θ, support)).

    The whole inner loop is inside of `forward`. A wrapper for several processes (DistributedDataParallel) therefore
    sees one ordinary forward and backward pass, and the gradient it averages is the meta-gradient, of second order too.

    Args:
        start: what is meta-learned.
        adapter: how it is adapted.
        over: how tasks are gone through: mapped over in one computation, or one after another. ``auto`` maps inner
            loops, where it is faster, and loops over closed forms.
    """

    def __init__(self, start: Start, adapter: Adapter, over: Over = "auto") -> None:
        super().__init__()
        self.start, self.adapter = start, adapter
        self.over = ("loop" if adapter.is_closed_form else "vmap") if over == "auto" else over

    def forward(self, batch: Episode) -> Tensor:
        """The mean loss of stacked tasks."""

        def one(support: Inputs, known: Tensor, query: Inputs, wanted: Tensor) -> Tensor:
            return self.adapter.loss(self.start, Episode(support, known, query, wanted, batch.ways))

        if self.over == "vmap":
            losses: Tensor = vmap(one, randomness="different")(
                batch.support, batch.support_labels, batch.query, batch.query_labels
            )
            return losses.mean()
        return torch.stack([one(*_task(batch, place)) for place in range(len(batch.query_labels))]).mean()


def _task(batch: Episode, place: int) -> tuple[Inputs, Tensor, Inputs, Tensor]:
    support, query = ({name: view[place] for name, view in one.items()} for one in (batch.support, batch.query))
    return support, batch.support_labels[place], query, batch.query_labels[place]
