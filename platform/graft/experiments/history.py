"""What the journal knows of an earlier run's search, in the terms of the search."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graft.experiments.progress import Progress, TrialProgress
from graft.journal import events
from graft.meta.recommend.prior import Prior
from graft.search.lineage import Lineage
from graft.search.protocol import Checkpoint, Exploit, Past, Proposal, Report, Retry, TrialEnd, length_in
from graft.spec.metrics import MetricSpec
from graft.spec.strategy import Strategy


@dataclass
class SearchHistory:
    """Everything a search has done so far; feed it every event of the journal in order.

    Attributes:
        metric: what trials report.
        proposals: what each trial was to do, by (trial, segment).
        exploits: who copied from whom.
        past: the records that bring a phase back, in order.
        duplicates: strategies that were drawn again, by phase.
        priors: what searchers were told of earlier tasks, by phase.
        screened: scores of the backbones, by name and backbone; None where nobody has decided whether to score any.
    """

    metric: MetricSpec
    proposals: dict[tuple[str, int], Proposal] = field(default_factory=dict)
    exploits: list[tuple[Proposal, Exploit]] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)
    duplicates: dict[int, int] = field(default_factory=dict)
    priors: dict[int, Prior] = field(default_factory=dict)
    screened: Mapping[str, Mapping[str, float]] | None = None
    phase: int = 0

    def apply(self, event: events.Event) -> None:
        """Take one event into account."""
        match event:
            case events.TrialStarted():
                self._begin(_proposal(event))
            case events.TrialExploited():
                self._exploit(event)
            case events.TrialReported():
                self._report(event)
            case events.TrialFinished():
                self.past.append(Past(event.trial, TrialEnd(event.status, event.reason, event.rung)))
            case events.TrialRetried():
                self.past.append(Past(event.trial, Retry()))
            case _:
                self._take_what_is_no_trial(event)

    def _take_what_is_no_trial(self, event: events.Event) -> None:
        match event:
            case events.PhaseStarted():
                self.phase = event.phase
            case events.BackbonesScreened():
                self.screened = event.scores
            case events.RecommendationsMade():
                self.priors[event.phase] = Prior.from_dict(event.prior)
            case events.DuplicateSkipped():
                self.duplicates[self.phase] = self.duplicates.get(self.phase, 0) + 1
            case _:
                pass

    def of_phase(self, phase: int) -> Iterator[Past]:
        """The records of one phase."""
        return (record for record in self.past if self.proposals[(record.trial, 0)].phase == phase)

    def proposed(self, phases: Iterable[int]) -> list[Proposal]:
        """What the trials of some phases began with, in the order they began."""
        wanted = set(phases)
        return [one for (_, segment), one in self.proposals.items() if segment == 0 and one.phase in wanted]

    def lineage(self, progress: Progress) -> Lineage:
        """Who copied whom up to now; `best` is the best epoch of the best trial, if there is one."""
        best = next((trial for trial in progress.ranked() if trial.best_epoch), None)
        return Lineage.of(self.proposals.values(), self.exploits, best_of(best) if best else None)

    def _begin(self, proposal: Proposal) -> None:
        if (proposal.trial, 0) in self.proposals:
            return  # it goes on after an interruption; its record is the first one
        self.proposals[(proposal.trial, 0)] = proposal
        self.past.append(Past(proposal.trial, proposal))

    def _report(self, event: events.TrialReported) -> None:
        value, length = event.metrics.get(f"val/{self.metric.name}"), length_in(event.metrics)
        if length is not None:
            self.proposals[(event.trial, 0)] = self.proposals[(event.trial, 0)].shortened(length)
        if value is not None:
            self.past.append(Past(event.trial, Report(event.trial, event.epoch, value, length)))

    def _exploit(self, event: events.TrialExploited) -> None:
        first = self.proposals[(event.trial, 0)]
        strategy = Strategy.read_stored(event.strategy)
        source = Checkpoint(event.donor, event.donor_segment, event.epoch)
        proposal = Proposal(event.trial, strategy, source, event.segment, first.epochs, first.phase)
        self.proposals[(event.trial, event.segment)] = proposal
        self.exploits.append((proposal, Exploit(source, strategy, event.changes, event.reason)))
        self.past.append(Past(event.trial, proposal))


def best_of(trial: TrialProgress) -> Checkpoint:
    """A trial's best epoch, as a place in the lineage."""
    return Checkpoint(trial.trial, trial.best_segment, trial.best_epoch)


def _proposal(event: events.TrialStarted) -> Proposal:
    start = None if event.start is None else Checkpoint(*event.start)
    strategy = Strategy.read_stored(event.strategy)
    return Proposal(event.trial, strategy, start, 0, event.epochs, event.phase, runs_to_end=event.runs_to_end)
