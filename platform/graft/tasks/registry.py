"""From a job's word to the task."""

from graft.spec.registry import build
from graft.spec.tasks.base import TaskSpec
from graft.tasks.protocol import Task


def build_task(spec: TaskSpec) -> Task:
    """The task that a spec stands for.

    Raises:
        SpecError: it is another package's, and cannot be built.
    """
    task: Task = build(spec)
    return task
