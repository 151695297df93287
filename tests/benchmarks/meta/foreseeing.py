"""Figures of predicted learning curves, on those of a bank: how right they are, and what stopping by them is worth."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from meta.replay import METRIC, BankTask, Reached, alike, play, told_by
from meta.stopping import THIS_TASK, StopByCurve

from graft.meta.memory.records import HeldMemory
from graft.meta.recommend.curves.forecast import Forecaster, PastCurve, past_curves
from graft.meta.recommend.outcomes import outcomes_of
from graft.meta.recommend.pool import candidate_of
from graft.meta.task_embedding.similarity import UNVECTORED
from graft.search.protocol import Observation, Proposal, Scheduler
from graft.spec.search.searchers import MetaSearcher


def forecaster_of(
    memory: HeldMemory, task: BankTask, own: Sequence[PastCurve] = (), is_empty: bool = False
) -> Forecaster:
    """What the other tasks, and its own curves, say of those of one."""
    records = [one for one in memory.records() if one.task != task.name and one.modality == task.modality]
    known = alike(task.name, memory.tasks()) or {}
    past = [] if is_empty else past_curves(list(outcomes_of(records).values()), METRIC.name)
    known = {**known, THIS_TASK: 1.0}
    return Forecaster([*past, *own], lambda name: known.get(name, UNVECTORED), METRIC)


@dataclass(frozen=True)
class _Foreseen:
    share: float
    last: float | None
    grown: float | None
    remembered: float
    shipped: float
    inside: bool
    inside_shipped: bool
    width: float


def error(memory: HeldMemory, tasks: Sequence[BankTask]) -> tuple[list[str], list[list[Any]]]:
    """Mean error of the last value of a curve, and how often the 80 % interval holds it, by the share that was seen."""
    rows = []
    for modality in dict.fromkeys(task.modality for task in tasks):
        found: dict[float, list[_Foreseen]] = {}
        for task in (one for one in tasks if one.modality == modality):
            for one in _of_task(memory, task, [other for other in tasks if other is not task]):
                found.setdefault(one.share, []).append(one)
        for share, of in sorted(found.items()):
            names = ("last", "grown", "remembered", "shipped", "inside", "inside_shipped", "width")
            rows.append([modality, share, len(of), *(_mean([getattr(one, name) for one in of]) for name in names)])
    headers = ["modality", "seen", "curves", "last value", "and mean increment", "memory", "shipped alone"]
    return [*headers, "in 80 %, memory", "in 80 %, shipped", "width"], rows


def _of_task(memory: HeldMemory, task: BankTask, others: Sequence[BankTask]) -> Iterator[_Foreseen]:
    remembered, shipped = forecaster_of(memory, task), forecaster_of(memory, task, is_empty=True)
    for strategy, curve in task.curves.items():
        for seen in range(curve.epochs if curve.epochs > 1 else 0):
            known = {epoch: value for epoch, value in curve.values.items() if epoch <= seen}
            end = curve.values[curve.epochs]
            told, plain = (one.forecast(candidate_of(strategy), curve.epochs, known) for one in (remembered, shipped))
            gains = [
                other.values[curve.epochs] - other.values[seen]
                for one in others
                if one.modality == task.modality
                for other in one.curves.values()
                if seen and other.epochs == curve.epochs
            ]
            last = curve.values[seen] if seen else None
            yield _Foreseen(
                round(seen / curve.epochs, 2),
                None if last is None else 100 * abs(end - last),
                None if last is None else 100 * abs(end - last - statistics.fmean(gains)),
                100 * abs(end - told.expected[-1]),
                100 * abs(end - plain.expected[-1]),
                bool(told.low[-1] <= end <= told.high[-1]),
                bool(plain.low[-1] <= end <= plain.high[-1]),
                100 * float(told.high[-1] - told.low[-1]),
            )


def _mean(values: Sequence[float | bool | None]) -> float | str:
    known = [float(one) for one in values if one is not None]
    return round(statistics.fmean(known), 2) if known else "–"


Rule = Mapping[str, Any]
RULES: Mapping[str, Rule] = {
    "stop below 5 %": {"least": 0.05},
    "stop below 20 %": {"least": 0.2},
    "spare from 20 %": {"least": 0.0, "spared": 0.2},
    "rungs by predicted ends": {"least": 0.0, "ends": True},
}
Made = Callable[[HeldMemory], HeldMemory]


def stopping(
    memory: HeldMemory, tasks: Sequence[BankTask], seeds: int, memories: Mapping[str, Made]
) -> tuple[list[str], list[list[Any]]]:
    """Simulated seconds to the target, of ASHA alone and with each rule, by what is remembered."""
    rows = []
    for name, made in memories.items():
        runs: dict[str, list[Reached]] = {"": [], **{rule: [] for rule in RULES}}
        for task in tasks:
            played = _played(memory, task, made, seeds)
            for rule, found in played.items():
                runs[rule] += found
        rows += [[name, rule, *_compared(runs[""], runs[rule])] for rule in RULES]
    headers = ["remembered", "rule", "ASHA s", "with s", "ratio", "log ratio", "±", "whole ratio", "reached"]
    return [*headers, "best lost", "most lost"], rows


def _played(memory: HeldMemory, task: BankTask, made: Made, seeds: int) -> Mapping[str, list[Reached]]:
    held = made(HeldMemory([one for one in memory.records() if one.task != task.name], memory.tasks()))
    prior = told_by(held.records(), task, (), held.tasks()) if held.records() else None
    told = partial(forecaster_of, held, task)
    found = {"": [play(task, MetaSearcher(), prior, seed) for seed in range(seeds)]}
    for rule, given in RULES.items():
        found[rule] = [play(task, MetaSearcher(), prior, seed, _Around(told, given)) for seed in range(seeds)]
    return found


@dataclass(frozen=True)
class _Around:
    """Puts the rule around the scheduler of a search."""

    foreseeing: Callable[[Sequence[PastCurve]], Forecaster]
    rule: Rule

    def __call__(
        self,
        inner: Scheduler,
        history: Callable[[], tuple[Observation, ...]],
        is_free: Callable[[Proposal], bool],
    ) -> Scheduler:
        return StopByCurve(inner, self.foreseeing, METRIC, history, is_free, **self.rule)


def _compared(plain: Sequence[Reached], told: Sequence[Reached]) -> list[Any]:
    seconds = [statistics.fmean(one.seconds for one in runs) for runs in (plain, told)]
    whole = [statistics.fmean(one.whole for one in runs) for runs in (plain, told)]
    logs = [math.log(b.seconds / a.seconds) for a, b in zip(plain, told, strict=True)]
    lost = [100 * (a.best - b.best) for a, b in zip(plain, told, strict=True)]
    spread = statistics.stdev(logs) / len(logs) ** 0.5
    shown = [*seconds, seconds[1] / seconds[0], statistics.fmean(logs), spread, whole[1] / whole[0]]
    reached = f"{sum(one.is_there for one in plain)} · {sum(one.is_there for one in told)}"
    return [*(round(one, 3) for one in shown), reached, round(statistics.fmean(lost), 2), round(max(lost), 2)]
