"""What adapters by gradient have in common: the weights of a task, which a model of it can be made of."""

from graft.episodes.adapters.inner_loop import Weights, called, logits_of, split
from graft.episodes.adapters.protocol import Adapter, Answer, Support
from graft.episodes.starts.protocol import Start


class ByGradient(Adapter):
    """Steps down the loss of the support. Batch normalisation takes the moments of the support, also for queries."""

    def adapted(self, start: Start, support: Support) -> Weights:
        """All weights of the task: those of the start by their names, and those of its head."""
        raise NotImplementedError

    def adapt(self, start: Start, support: Support) -> Answer:
        """The network of the task."""
        body, head = split(self.adapted(start, support))
        moments = called(start, body, support.inputs, None)[1]
        return lambda queries: logits_of(called(start, body, queries, moments)[0], head)
