"""Who copied whom: the lineage of the weights that a search has trained. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from graft.search.protocol import Checkpoint, Exploit, Proposal
from graft.search.strategy_schedule import Stretch, joined


@dataclass(frozen=True)
class Copied:
    """One trial went on from another's weights.

    Attributes:
        trial: who copied.
        segment: which segment of it the copy began.
        donor: the checkpoint it went on from.
        epoch: when, in epochs of training.
        changes: dotted key -> (donor's value, new value).
        reason: one line for the user.
    """

    trial: str
    segment: int
    donor: Checkpoint
    epoch: int
    changes: Mapping[str, tuple[Any, Any]]
    reason: str


@dataclass(frozen=True)
class Lineage:
    """All that was trained, and where it came from.

    Attributes:
        proposals: every segment of every trial, once.
        events: every copy, in the order they were made.
        best: the checkpoint that the search found best, if there is one.
    """

    proposals: tuple[Proposal, ...]
    events: tuple[Copied, ...]
    best: Checkpoint | None = None

    @classmethod
    def of(
        cls,
        proposals: Iterable[Proposal],
        exploits: Iterable[tuple[Proposal, Exploit]],
        best: Checkpoint | None = None,
    ) -> "Lineage":
        """Put a search's decisions together.

        Args:
            proposals: what was started; the same segment may be there more than once (it was started again).
            exploits: as `SearchObserver.on_exploit` was told of them: what the trial does from then on, and why.
            best: trial, segment and epoch of the best weights.

        Raises:
            ValueError: something goes on from weights that nobody trained.
        """
        pairs = tuple(exploits)
        segments: dict[tuple[str, int], Proposal] = {}
        for proposal in (*proposals, *(after for after, _ in pairs)):
            segments.setdefault(_segment_of(proposal), proposal)
        events = (
            Copied(after.trial, after.segment, one.source, one.source.epoch, one.changes, one.reason)
            for after, one in pairs
        )
        lineage = cls(tuple(segments.values()), tuple(events), best)
        lineage._require_whole()
        return lineage

    @property
    def depth(self) -> int:
        """The longest chain of copies: how often the weights changed hands that did so most often."""
        walks = (self._back_from(proposal, proposal.epochs) for proposal in self.proposals)
        return max((sum(one.segment > 0 for one, _ in walk) for walk in walks), default=0)

    def schedule_of(self, trial: str, segment: int, epoch: int) -> tuple[Stretch, ...]:
        """The strategies that a trial's weights were trained under, from epoch 0 on, across all they were copied from.

        Args:
            trial: whose weights.
            segment: of that trial.
            epoch: how long they have been trained.

        Raises:
            ValueError: there is no such segment, or it begins later.
        """
        checkpoint = Checkpoint(trial, segment, epoch)
        walked = list(self._back_from(self._at(checkpoint), epoch))
        return joined(Stretch(begin_of(proposal), end, proposal.strategy) for proposal, end in reversed(walked))

    def way_of(self, checkpoint: Checkpoint) -> dict[tuple[str, int], int]:
        """(trial, segment) -> the epoch up to which it trained what became these weights; newest first."""
        walked = self._back_from(self._at(checkpoint), checkpoint.epoch)
        return {_segment_of(proposal): end for proposal, end in walked}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a machine: who copied whom, when, what changed and why."""
        return {
            "depth": self.depth,
            "best": asdict(self.best) if self.best else None,
            "exploits": [_plain_event(event) for event in self.events],
            "segments": [_plain_segment(proposal) for proposal in self.proposals],
        }

    @cached_property
    def _segments(self) -> dict[tuple[str, int], Proposal]:
        return {_segment_of(proposal): proposal for proposal in self.proposals}

    def _require_whole(self) -> None:
        starts = [proposal.start for proposal in self.proposals]
        for checkpoint in (*starts, self.best):
            if checkpoint is not None:
                self._at(checkpoint)

    def _back_from(self, proposal: Proposal, epoch: int) -> Iterator[tuple[Proposal, int]]:
        """Each segment that weights went through, newest first, with the epoch at which they left it."""
        yield proposal, epoch
        while proposal.start is not None:
            epoch = proposal.start.epoch
            proposal = self._at(proposal.start)
            yield proposal, epoch

    def _at(self, checkpoint: Checkpoint) -> Proposal:
        """The segment that left a checkpoint; it began before, so walking back comes to an end."""
        proposal = self._segments.get((checkpoint.trial, checkpoint.segment))
        if proposal is None:
            raise ValueError(f"{checkpoint} is of a segment that never began")
        if checkpoint.epoch <= begin_of(proposal):
            raise ValueError(f"{checkpoint} is not later than its segment, which began at epoch {begin_of(proposal)}")
        return proposal


def begin_of(proposal: Proposal) -> int:
    """The epoch at which a segment begins."""
    return proposal.start.epoch if proposal.start else 0


def _segment_of(proposal: Proposal) -> tuple[str, int]:
    return (proposal.trial, proposal.segment)


def _plain_event(event: Copied) -> dict[str, Any]:
    return {
        "trial": event.trial,
        "segment": event.segment,
        "donor": event.donor.trial,
        "donor_segment": event.donor.segment,
        "epoch": event.epoch,
        "changes": {key: list(pair) for key, pair in event.changes.items()},
        "reason": event.reason,
    }


def _plain_segment(proposal: Proposal) -> dict[str, Any]:
    return {
        "trial": proposal.trial,
        "segment": proposal.segment,
        "phase": proposal.phase,
        "from": asdict(proposal.start) if proposal.start else None,
        "strategy": proposal.strategy.flat(),
    }
