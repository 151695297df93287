"""An observer that remembers what a search did, and when."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from graft.journal.events import TrialStatus
from graft.search.lineage import Lineage
from graft.search.protocol import Duplicate, Exploit, Proposal, TrialEnd


@dataclass
class Watcher:
    """Remembers. Times are seconds since the epoch, so that those of other processes can be compared.

    Attributes:
        started: what each trial was to do first.
        exploits: what was decided: the trial's new proposal, and why.
        decided: (trial, segment) -> when its exploit was decided.
        first_report: (trial, segment) -> when its first epoch was reported.
        reports: how many epochs were reported.
        ends: how each trial ended.
    """

    started: list[Proposal] = field(default_factory=list)
    exploits: list[tuple[Proposal, Exploit]] = field(default_factory=list)
    decided: dict[tuple[str, int], float] = field(default_factory=dict)
    first_report: dict[tuple[str, int], float] = field(default_factory=dict)
    reports: int = 0
    ends: dict[str, TrialEnd] = field(default_factory=dict)

    @property
    def lineage(self) -> Lineage:
        """Who copied whom."""
        return Lineage.of(self.started, self.exploits)

    @property
    def copies(self) -> set[tuple[str, str, int]]:
        """(trial, donor, epoch) of each exploit."""
        return {(after.trial, one.source.trial, one.source.epoch) for after, one in self.exploits}

    @property
    def has_finished(self) -> bool:
        """Whether every trial came to its end."""
        ends = {end.status for end in self.ends.values()}
        return ends == {TrialStatus.COMPLETED} and len(self.ends) == len(self.started)

    def on_duplicate(self, duplicate: Duplicate) -> None:
        """Nothing is made of it."""

    def on_started(self, proposal: Proposal) -> None:
        self.started.append(proposal)

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        """Nothing is made of it."""

    def on_note(self, trial: str, text: str) -> None:
        pass

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self.reports += 1
        segment = max((after.segment for after, _ in self.exploits if after.trial == trial), default=0)
        self.first_report.setdefault((trial, segment), time.time())

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None:
        self.decided[(proposal.trial, proposal.segment)] = time.time()
        self.exploits.append((proposal, exploit))

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        self.ends[trial] = end
