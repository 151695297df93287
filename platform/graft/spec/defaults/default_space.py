"""What is searched where a job says nothing of its strategy. The reasons are in docs/defaults.md."""

import re
from collections.abc import Mapping
from typing import Any

from graft.spec.defaults.closed_form import solved_first
from graft.spec.defaults.recommended import Recommended
from graft.spec.defaults.scale import Scale
from graft.spec.modalities.base import DataSpec, ModalitySpec
from graft.spec.registry import members
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy, behind_solved_head
from graft.spec.tasks.base import TaskSpec


def default_space(data: DataSpec, task: TaskSpec) -> dict[str, Any]:
    """The keys of `strategy` for samples of a kind, and a task, before anybody has counted the samples.

    Args:
        data: the job's data section.
        task: as long as it is not decided, only data and modality have a say.
    """
    modality = members("modality").get(data.modality)
    usual = modality.default_space if modality is not None and issubclass(modality, ModalitySpec) else {}
    return {**usual, **data.default_space, **task.default_space}


def recommended(data: DataSpec, task: TaskSpec, scale: Scale) -> Recommended:
    """What is searched, and what is tried first, for so many samples and so much time; all of it whole.

    Args:
        data: the job's data section.
        task: decided.
        scale: how large the job is.
    """
    modality = members("modality")[data.modality]
    found = modality.recommended(data, scale) if issubclass(modality, ModalitySpec) else Recommended({})
    space = completed({**default_space(data, task), **found.space}, data, task)
    sizes = modality.feature_sizes(data) if issubclass(modality, ModalitySpec) else ()
    besides = modality.solved_besides(data) if issubclass(modality, ModalitySpec) else ()
    solved = solved_first(task.link, sizes, scale, besides)
    # Where no head is worth being solved, none is solved for a training to start from.
    trained = [{**task.default_first, **one} for one in found.first if solved.all or "head_start" not in one]
    # The longest training begins beside the heads: one slot is enough for them, and it needs all the time.
    in_turn = (*solved.ahead, *trained[:1], *solved.beside, *trained[1:])
    return Recommended(space, tuple(completed_first(one, space) for one in in_turn), found.views)


def completed_first(strategy: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a strategy that is tried first, with what the space says where it leaves something out.

    A key that has one value there has it here too. Backbone and loss, which depend on samples and task, are the first
    that the space names; every other key is as it is by default. Where the head is solved, keys that have no effect on
    it are left out.

    Args:
        strategy: as the job gives it.
        space: the whole `strategy` of the job (`completed`).
    """
    read = StrategySpace.parse(space)
    varied = {re.split(r"[.\[]", key)[0] for key in read.distributions()}
    fixed = {name: value for name, value in space.items() if name not in varied}
    named = {name: read.values(name)[0] for name in ("backbone", "loss") if name in varied}
    whole = {**named, **fixed, **strategy}
    if not StrategySpace.parse({"head": whole.get("head", Strategy().head.kind)}).only().head.is_solved:
        return whole
    return {name: value for name, value in whole.items() if name in (*strategy, "loss", *behind_solved_head())}


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
