"""What is searched where a job says nothing of its strategy. The reasons are in docs/defaults.md."""

from collections.abc import Mapping
from typing import Any

from graft.spec.modalities.base import DataSpec, ModalitySpec
from graft.spec.registry import members
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import TaskSpec


def default_space(data: DataSpec, task: TaskSpec) -> dict[str, Any]:
    """The keys of `strategy` for samples of a kind, and a task: what the modality, the data and the task suggest.

    Args:
        data: the job's data section.
        task: as long as it is not decided, only data and modality have a say.
    """
    modality = members("modality").get(data.modality)
    usual = modality.default_space if modality is not None and issubclass(modality, ModalitySpec) else {}
    return {**usual, **data.default_space, **task.default_space}


def completed(strategy: Mapping[str, Any], data: DataSpec, task: TaskSpec) -> dict[str, Any]:
    """The keys of a `strategy`, with the backbone and the loss that fit where it names none; the default space if it
    is empty.
    """
    whole = dict(strategy) or default_space(data, task)
    modality = members("modality")[data.modality]
    defaults = {"loss": task.default_loss, "backbone": getattr(modality, "default_backbone", "")}
    usual = Strategy()
    for name, value in defaults.items():
        own = getattr(usual, name)
        if name not in whole and value and value != getattr(own, "kind", own):
            whole[name] = value
    return whole
