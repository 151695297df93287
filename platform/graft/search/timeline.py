"""A lineage as lines of text: one row a trial, time from left to right, a mark where it copied."""

from collections.abc import Mapping
from dataclasses import dataclass

from graft.search.lineage import Lineage, begin_of
from graft.search.protocol import Proposal

_FRESH, _COPIED, _BEST = "●", "‹", "★"
_LINE, _BEST_LINE = "─", "━"
LEGEND = f"{_FRESH} pretrained weights  {_COPIED} goes on from  {_BEST_LINE} way of the best weights  {_BEST} best"


def timeline(lineage: Lineage, reached: Mapping[str, int] | None = None, width: int = 100) -> list[str]:
    """Draw who copied whom.

    Columns are the epochs at which something began or ended, not every epoch. Trials that neither copied nor were
    copied from, and are not behind the best, are only counted.

    Args:
        lineage: what is drawn.
        reached: trial -> the last epoch it trained; as long as it was meant to, where it is not given.
        width: characters a line may have; a longer drawing goes on below.
    """
    if not lineage.events:
        return ["no trial has copied from another"]
    rows = _rows(lineage, reached or {})
    columns = sorted({epoch for row in rows for epoch in (*row.marks, row.end)})
    cell = 2 + max(len(text) for row in rows for text in (*row.marks.values(), str(columns[-1])))
    label = 2 + max(len("epoch"), *(len(row.trial) for row in rows))
    per_block = max(1, (width - label) // cell)
    lines = []
    for first in range(0, len(columns), per_block):
        block = columns[first : first + per_block]
        lines.append("epoch".ljust(label) + "".join(str(epoch).ljust(cell) for epoch in block))
        lines += [row.trial.ljust(label) + "".join(row.cell(epoch, cell) for epoch in block) for row in rows]
    others = len({proposal.trial for proposal in lineage.proposals}) - len(rows)
    counted = [f"{others} more neither copied nor were copied from"] if others else []
    return [*(line.rstrip() for line in lines), *counted, LEGEND]


@dataclass(frozen=True)
class _Row:
    """One trial: what stands at which epoch, where it begins and ends, and where its line is that of the best."""

    trial: str
    marks: Mapping[int, str]
    begin: int
    end: int
    best: tuple[range, ...]

    def cell(self, epoch: int, width: int) -> str:
        mark = self.marks.get(epoch, "")
        if not self.begin <= epoch < self.end:
            return mark.ljust(width)
        return mark.ljust(width, _BEST_LINE if any(epoch in part for part in self.best) else _LINE)


def _rows(lineage: Lineage, reached: Mapping[str, int]) -> list[_Row]:
    way = lineage.way_of(lineage.best) if lineage.best else {}
    shown = {trial for trial, _ in way}
    for event in lineage.events:
        shown |= {event.trial, event.donor.trial}
    segments: dict[str, list[Proposal]] = {}
    for proposal in lineage.proposals:
        if proposal.trial in shown:
            segments.setdefault(proposal.trial, []).append(proposal)
    return [_row(lineage, segments[trial], way, reached) for trial in sorted(segments)]


def _row(
    lineage: Lineage, segments: list[Proposal], way: Mapping[tuple[str, int], int], reached: Mapping[str, int]
) -> _Row:
    trial = segments[0].trial
    begins = {begin_of(one): f"{_COPIED}{one.start.trial}" if one.start else _FRESH for one in segments}
    ends = {trial: segments[-1].epochs} | dict(reached)
    best = [range(begin_of(one), way[trial, one.segment]) for one in segments if (trial, one.segment) in way]
    marks = dict(begins)
    if lineage.best is not None and lineage.best.trial == trial:
        marks[lineage.best.epoch] = _BEST + marks.get(lineage.best.epoch, "")
    return _Row(trial, marks, min(begins), ends[trial], tuple(best))
