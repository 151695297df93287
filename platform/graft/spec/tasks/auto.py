"""`task: auto`: what is asked is inferred from the labels before the run."""

from typing import Literal

from graft.spec.tasks.base import TaskSpec


class AutoTask(TaskSpec):
    """The task that the labels suggest; `graft plan` says which, and why."""

    kind: Literal["auto"] = "auto"
