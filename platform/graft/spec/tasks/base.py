"""What the spec of every task says: the metrics it is judged by, and the losses that fit it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from graft.spec.base import Component
from graft.spec.metrics import MetricSpec


class TaskSpec(Component):
    """What is asked of the samples.

    Attributes:
        metrics: all it can be judged by.
        default_metric: the one that trials are compared by if the job names none.
        default_loss: kind of the loss that is minimised if the strategy names none.
        default_space: what it adds to the strategies that are searched where a job says nothing of them.
        default_first: what it adds to those that are tried first there.
        rows_by_name: whether a row of a linear head means the same in another task of the kind that has an output of
            that name.
        link: how outputs [B, K] are read: ``softmax``, as logits of one of K classes, ``sigmoid``, of K labels each by
            itself, ``identity``, as values; empty where it is otherwise, and no head can be solved.
    """

    metrics: ClassVar[tuple[MetricSpec, ...]] = ()
    default_metric: ClassVar[str] = ""
    default_loss: ClassVar[str] = ""
    default_space: ClassVar[Mapping[str, Any]] = {}
    default_first: ClassVar[Mapping[str, Any]] = {}
    rows_by_name: ClassVar[bool] = False
    link: ClassVar[str] = ""

    @classmethod
    def metric(cls, name: str) -> MetricSpec | None:
        """A metric by its name; None if the task does not have it."""
        return next((one for one in cls.metrics if one.name == name), None)


class LossSpec(Component):
    """What is minimised.

    Attributes:
        tasks: kinds of the tasks whose outputs it takes; empty for every task.
        takes_mixed: whether it takes targets that are a weighted mean of several samples' (`strategy.mix`).
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    takes_mixed: ClassVar[bool] = False

    def simplest(self) -> Any:
        """The loss that means the same with the fewest parameters: itself, unless its parameters have no effect."""
        return self
