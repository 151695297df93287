"""Which trials make up the final model: chosen on the validation rows, and kept only where that is no luck."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graft.core.seeds import derive_seed
from graft.data.dataset import Split
from graft.learner.ensemble.kinds import kind_of
from graft.learner.ensemble.members import Member, hear
from graft.learner.ensemble.parts import error_of_mean, parts_of
from graft.learner.ensemble.selection import Library, held_out_shares, select
from graft.learner.ensemble.worth import FEWEST_ROWS, NOISE, WORTH, expected_gain
from graft.learner.training_data import TrainingData, training_data_of
from graft.spec.training import SELECTION_ROWS
from graft.tasks.averaging import evidence_of, losses_of

BLOCKS = 10
"""Of rows, by which the noise of a difference between two scores is estimated."""


@dataclass(frozen=True)
class _Heard:
    """A candidate that has answered: its outputs [N, K] for the validation rows.

    Attributes:
        calibrated: what it is calibrated by.
        facts: these, and those of the data.
    """

    member: Member
    outputs: Tensor
    calibrated: dict[str, Any]
    facts: dict[str, Any]


def choose_members(candidates: Sequence[Member], most: int, num_threads: int) -> dict[str, Any]:
    """Select an ensemble (`selection`), and judge it on validation rows that its selection has not seen.

    It is kept if it is expected to lower the loss of the winner alone by enough (`worth`), and its score of the job's
    metric is not worse by more than two standard errors of the difference: of a hundred rows, a metric that counts
    moves by a point with each.

    Args:
        candidates: as the search has left them, the winner first.
        most: members that there may be.
        num_threads: torch threads.

    Returns:
        ``members``: trial, share and facts of each, the winner first; ``is_kept``; ``score`` and ``alone``, of the
        job's metric on rows not seen; ``gain`` and ``error``, of the loss, and the share of it that is ``expected`` to
        be gained; ``candidates`` and ``rows``, how many;
        ``left_out``, trials whose weights could not be read.
    """
    model = candidates[0].model
    data = training_data_of(model.job, model.open_dataset(), num_threads)
    torch.set_num_threads(num_threads)
    rows = _rows(data)
    targets = data.arrays.targets[rows]
    heard, left_out = _heard(candidates, data, rows)
    told: dict[str, Any] = {"candidates": len(heard), "rows": len(rows), "left_out": left_out}
    if len(heard) < 2 or len(rows) < FEWEST_ROWS or heard[0].member is not candidates[0]:
        return {**told, "is_kept": False, "members": []}
    names, seed = data.arrays.names, data.seed
    evidence = np.stack([evidence_of(data.task, one.outputs, targets, names, one.facts) for one in heard])
    kinds = tuple(kind_of(one.member.model.strategy) for one in heard)
    kin = None if data.arrays.kin is None else data.arrays.kin[rows]
    library = Library(evidence, partial(losses_of, data.task.spec.link), seed, kinds, kin)
    shares = select(library, most)
    members = [
        {"trial": one.member.trial, "share": float(share), "facts": one.calibrated}
        for one, share in zip(heard, shares, strict=True)
        if share
    ]
    return {**told, **_judged(library, heard, most, data, targets), "members": members}


def _rows(data: TrainingData) -> np.ndarray:
    rows = data.arrays.rows(Split.VALIDATION)
    if len(rows) <= SELECTION_ROWS:
        return rows
    return np.sort(np.random.default_rng(derive_seed(data.seed, "ensemble rows")).choice(rows, SELECTION_ROWS, False))


def _heard(candidates: Sequence[Member], data: TrainingData, rows: np.ndarray) -> tuple[list[_Heard], list[str]]:
    heard, left_out = [], []
    said = hear(candidates, data, rows)
    for place, one in enumerate(candidates):
        if place not in said or not bool(torch.isfinite(said[place]).all()):
            left_out.append(one.trial)
            continue
        outputs = said[place].float()
        calibrated = dict(data.task.calibrate(outputs, data.arrays.targets[rows], data.arrays.facts))
        heard.append(_Heard(one, outputs, calibrated, {**data.arrays.facts, **calibrated}))
    return heard, left_out


def _judged(
    library: Library, heard: Sequence[_Heard], most: int, data: TrainingData, targets: np.ndarray
) -> dict[str, Any]:
    """The ensemble beside the winner alone, each row by members that were selected without it."""
    decided = np.stack([data.task.decide(one.outputs, one.facts) for one in heard])
    together, losses = np.empty(decided.shape[1:]), np.empty(len(targets))
    for part, shares in held_out_shares(library, most):
        together[part] = np.tensordot(shares, decided[:, part], axes=1)
        losses[part] = library.losses(np.tensordot(shares, library.evidence[:, part], axes=1))
    winners = library.losses(library.evidence[0])
    gains = winners - losses
    gain, error = float(gains.mean()), error_of_mean(gains, library.kin)
    name, facts = data.metric.name, data.arrays.facts
    score = data.task.score(together, targets, [name], facts)[name]
    alone = data.task.score(decided[0], targets, [name], heard[0].facts)[name]
    expected = expected_gain(gain, error, float(winners.mean()))
    is_kept = expected >= WORTH and not _is_worse(data, library.kin, (together, decided[0]), targets, heard[0].facts)
    return {"is_kept": is_kept, "score": score, "alone": alone, "gain": gain, "error": error, "expected": expected}


def _is_worse(
    data: TrainingData,
    kin: np.ndarray | None,
    answers: tuple[np.ndarray, np.ndarray],
    targets: np.ndarray,
    facts: dict[str, Any],
) -> bool:
    """Whether an ensemble scores less than the winner by more than is noise (`worth.NOISE` standard errors).

    The error is the jackknife's over blocks of rows: a bootstrap would leave out classes, which some metrics need.

    Args:
        data: with the metric.
        kin: one number for rows that belong together; None where none do.
        answers: of the ensemble and of the winner alone.
        targets: of the rows.
        facts: the winner's.
    """
    metric, (together, alone) = data.metric, answers

    def lost(rows: np.ndarray) -> float:
        ours, its = (
            data.task.score(told[rows], targets[rows], [metric.name], known)[metric.name]
            for told, known in ((together, data.arrays.facts), (alone, facts))
        )
        return its - ours if metric.is_better(1.0, 0.0) else ours - its

    every, seed = np.arange(len(targets)), derive_seed(data.seed, "ensemble metric")
    without = np.array([lost(np.setdiff1d(every, block)) for block in parts_of(len(every), kin, BLOCKS, seed)])
    error = math.sqrt((len(without) - 1) * float(np.nanvar(without)))
    return lost(every) > NOISE * error
