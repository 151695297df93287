"""Turns what the search tells into journal records."""

from collections.abc import Callable, Mapping, Sequence

from graft.core.clock import Clock
from graft.experiments.progress import Progress
from graft.experiments.standing.leaderboard import ALWAYS_TOLD
from graft.journal import events
from graft.journal.journal import Journal
from graft.search.protocol import Checkpoint, Duplicate, Exploit, Proposal, TrialEnd
from graft.spec.strategy import Strategy
from graft.workers.nodes.judge import NodeNews, NodeState


class Recorder:
    """A `SearchObserver` that journals.

    Args:
        journal: where to.
        progress: follows the journal; knows what each trial has reached.
        seed: root of the trials' randomness.
        clock: measures trials.
        fields: of a strategy, which tell the trials apart.
        reason_of: why a strategy is recommended; empty if it is not.
    """

    def __init__(
        self,
        journal: Journal,
        progress: Progress,
        seed: int,
        clock: Clock,
        fields: Sequence[str] = (),
        reason_of: Callable[[Strategy], str] = lambda strategy: "",
    ) -> None:
        self._journal = journal
        self._progress = progress
        self._seed = seed
        self._clock = clock
        self._fields = (ALWAYS_TOLD, *fields)
        self._reason_of = reason_of
        self._started: dict[str, float] = {}

    def on_duplicate(self, duplicate: Duplicate) -> None:
        self._journal.append(events.DuplicateSkipped(trial=None, of=duplicate.of, key=duplicate.key))

    def on_started(self, proposal: Proposal) -> None:
        self._started[proposal.trial] = self._clock.elapsed()
        strategy = proposal.strategy
        # Of what is tried anyway, the memory says when heads that are solved come, and nothing of trainings.
        may_be_recommended = proposal.is_solved or not proposal.runs_to_end
        self._journal.append(
            events.TrialStarted(
                proposal.trial,
                strategy.model_dump(mode="json"),
                strategy.label(self._fields),
                self._seed,
                phase=proposal.phase,
                epochs=proposal.epochs,
                start=_pointer(proposal.start),
                runs_to_end=proposal.runs_to_end,
                recommended=self._reason_of(strategy) if may_be_recommended else "",
            )
        )

    def on_placed(self, trial: str, nodes: tuple[str, ...]) -> None:
        if not set(nodes) <= set(self._progress.trials[trial].nodes):
            self._journal.append(events.TrialPlaced(trial, nodes))

    def on_note(self, trial: str, text: str) -> None:
        self._journal.append(events.TrialNoted(trial, text))

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        values = {name: value for name, value in metrics.items() if name != "train/seconds"}
        self._journal.append(events.TrialReported(trial, epoch, values, metrics["train/seconds"]))

    def on_exploit(self, proposal: Proposal, exploit: Exploit) -> None:
        source = exploit.source
        self._journal.append(
            events.TrialExploited(
                trial=proposal.trial,
                segment=proposal.segment,
                strategy=exploit.strategy.model_dump(mode="json"),
                label=exploit.strategy.label(self._fields),
                donor=source.trial,
                donor_segment=source.segment,
                epoch=source.epoch,
                changes=exploit.changes,
                reason=exploit.reason,
            )
        )

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        reached = self._progress.trials[trial]
        best = {name: value for name, value in reached.best.items() if name.startswith("val/")}
        now = self._clock.elapsed()
        seconds = now - self._started.pop(trial, now)
        self._journal.append(
            events.TrialFinished(trial, end.status, end.reason, reached.epoch, best, seconds, end.rung, end.log)
        )


def changed_node(news: NodeNews, trials: Sequence[str], what: str) -> events.NodeChanged:
    """The record of what became of a node.

    Args:
        news: of the node.
        trials: that are trained there.
        what: is trained there, for the user: ``its 2 trials``; empty for nothing any more.
    """
    verb, goes = ("is", "goes") if len(trials) < 2 else ("are", "go")
    fact, then = {
        NodeState.SILENT: (
            f"has not answered for {news.seconds:.0f} s",
            f"{verb} tried again elsewhere unless it comes back",
        ),
        NodeState.BACK: (f"answers again, after {news.seconds:.0f} s", f"{goes} on from what is on the disk"),
        NodeState.GONE: ("is gone", f"{verb} tried again elsewhere, from what is on the disk"),
        NodeState.LEAVING: (f"will be taken away{_in_seconds(news)}", f"{goes} on elsewhere"),
    }[news.state]
    told = f"node {news.address} {fact}" + (f"; {what} {then}" if what else "")
    return events.NodeChanged(news.node, news.address, str(news.state), tuple(trials), told)


def _in_seconds(news: NodeNews) -> str:
    return f" in {news.seconds:.0f} s" if news.seconds else ""


def _pointer(start: Checkpoint | None) -> tuple[str, int, int] | None:
    return None if start is None else (start.trial, start.segment, start.epoch)
