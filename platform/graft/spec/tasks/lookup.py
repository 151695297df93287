"""Which metric a name stands for, and which tasks know it."""

from collections.abc import Iterator

from graft.spec.metrics import MetricSpec
from graft.spec.registry import members
from graft.spec.tasks.base import TaskSpec


def metric_named(name: str, task: str = "") -> MetricSpec:
    """A metric of a task; of the first task that has it if the task is not known.

    Args:
        name: such as ``accuracy``.
        task: kind of the task; `auto` is not known yet, as in experiments of older graft that go on.

    Raises:
        KeyError: no task has it.
    """
    found = next((one for kind, one in all_metrics() if one.name == name and task in ("", "auto", kind)), None)
    if found is None:
        raise KeyError(name)
    return found


def all_metrics() -> Iterator[tuple[str, MetricSpec]]:
    """Kind of the task and metric, for all there are."""
    for kind, task in members("task").items():
        if issubclass(task, TaskSpec):
            yield from ((kind, metric) for metric in task.metrics)
