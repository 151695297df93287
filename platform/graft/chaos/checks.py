"""What must be the same after a fault as without one: trials, epochs, MLflow's runs and metrics, the winner. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.chaos.fault import require
from graft.core.storage import read_json
from graft.journal import events
from graft.journal.events import ExperimentStatus

# Scores of the same strategy, trained on the same rows with the same seed, in another process.
SAME_SCORE = 1e-9


@dataclass(frozen=True)
class Facts:
    """What a run has come to.

    Attributes:
        status: of the experiment.
        trials: name -> how it ended.
        epochs: name -> the epochs it has reported, in order.
        winner: its strategy.
        validation: its score.
        test: the score of the model that was made of it, on the test samples.
        retrained: finished trials that were trained again.
        counts: of ``graft journal verify``.
        records: of the journal.
    """

    status: str
    trials: Mapping[str, str]
    epochs: Mapping[str, tuple[tuple[int, int], ...]]
    winner: Mapping[str, Any]
    validation: float
    test: float
    retrained: int
    counts: Mapping[str, int | None]

    @classmethod
    def of(cls, result_file: Path, journal: Sequence[events.Event], counts: Mapping[str, int | None]) -> "Facts":
        """Of a result, the journal behind it, and how that stands against MLflow."""
        result = read_json(result_file)
        trials, epochs = _of_trials(journal)
        scores = result["validation"], result["test"]
        return cls(result["status"], trials, epochs, result["winner"], *scores, result["retrained"], counts)

    @classmethod
    def of_meta_search(cls, journal: Sequence[events.Event], counts: Mapping[str, int | None]) -> "Facts":
        """Of a meta-search, which leaves no result but its journal.

        Raises:
            Broken: it came to no winner, or that was not evaluated.
        """
        trials, epochs = _of_trials(journal)
        winner = next((one.trial for one in journal if isinstance(one, events.WinnerChosen)), None)
        tested = [value for one in journal if isinstance(one, events.Evaluated) for value in one.metrics.values()]
        ended = [str(one.status) for one in journal if isinstance(one, events.ExperimentFinished)]
        require(winner is not None and tested and ended, "the meta-search has no winner that was evaluated")
        begun = next(one for one in journal if isinstance(one, events.TrialStarted) and one.trial == winner)
        reports = (one for one in journal if isinstance(one, events.TrialReported) and one.trial == winner)
        score = max(one.metrics["val/accuracy"] for one in reports)
        return cls(ended[-1], trials, epochs, begun.strategy, score, tested[0], _begun_again(journal), counts)

    @property
    def reports(self) -> int:
        """Epochs of all trials."""
        return sum(map(len, self.epochs.values()))

    def has_winner_of(self, other: "Facts") -> bool:
        """Whether both have found the same strategy, with the same scores."""
        apart = max(abs(self.validation - other.validation), abs(self.test - other.test))
        return self.winner == other.winner and apart <= SAME_SCORE


Epochs = Mapping[str, tuple[tuple[int, int], ...]]
"""By trial, (segment, epoch) of each report."""


def _of_trials(journal: Sequence[events.Event]) -> tuple[Mapping[str, str], Epochs]:
    """How each trial ended, and what it has reported."""
    trials: dict[str, str] = {}
    segments: dict[str, int] = {}
    epochs: dict[str, list[tuple[int, int]]] = {}
    for event in journal:
        match event:
            case events.TrialStarted():
                trials[event.trial] = "running"
            case events.TrialFinished():
                trials[event.trial] = str(event.status)
            case events.TrialExploited():
                segments[event.trial] = event.segment
            case events.TrialReported():
                at = (segments.get(event.trial, 0), event.epoch)
                epochs.setdefault(event.trial, []).append(at)
            case _:
                pass
    return trials, {trial: tuple(found) for trial, found in epochs.items()}


def _begun_again(journal: Sequence[events.Event]) -> int:
    """Trials that were started after they had ended."""
    ended, again = set[str](), set[str]()
    for event in journal:
        if isinstance(event, events.TrialFinished) and event.status != events.TrialStatus.INTERRUPTED:
            ended.add(event.trial)
        elif isinstance(event, events.TrialStarted | events.TrialReported) and event.trial in ended:
            again.add(event.trial)
    return len(again)


def problems(found: Facts, undisturbed: Facts | None) -> list[str]:
    """Which guarantees that hold under every fault were not kept; `undisturbed` is None if it is another search."""
    own = [*_nothing_is_lost_or_doubled(found), *_every_trial_has_ended_once(found)]
    return own if undisturbed is None else [*own, *_it_is_the_same_search(found, undisturbed)]


def _nothing_is_lost_or_doubled(found: Facts) -> Iterator[str]:
    counts = found.counts
    if counts.get("lost") != 0:
        yield f"{counts.get('lost')} are lost in MLflow"
    if counts.get("doubled") != 0:
        yield f"{counts.get('doubled')} are doubled in MLflow"
    if counts.get("torn") != 0:
        yield f"{counts.get('torn')} records of the journal are damaged"
    for what in ("runs", "metrics"):
        expected, there = counts.get(f"{what}_expected"), counts.get(f"{what}_in_mlflow")
        if expected != there:
            yield f"MLflow has {there} {what} of {expected}"
    if counts.get("trials") != len(found.trials):
        yield f"the journal has {counts.get('trials')} trials, and the result {len(found.trials)}"


def _every_trial_has_ended_once(found: Facts) -> Iterator[str]:
    if found.status != ExperimentStatus.COMPLETED:
        yield f"the experiment is {found.status}"
    if found.retrained:
        yield f"{found.retrained} finished trials were trained again"
    unended = sorted(trial for trial, status in found.trials.items() if status in ("running", "interrupted"))
    if unended:
        yield f"{', '.join(unended)} never ended"
    for trial, epochs in sorted(found.epochs.items()):
        twice = [epoch for (_, epoch), times in Counter(epochs).items() if times > 1]
        if twice:
            yield f"{trial} has reported epoch {twice[0]} twice"


def _it_is_the_same_search(found: Facts, undisturbed: Facts) -> Iterator[str]:
    if found.trials != undisturbed.trials:
        yield f"trials ended {_told(found.trials)}, but without the fault {_told(undisturbed.trials)}"
    if found.epochs != undisturbed.epochs:
        yield f"{found.reports} epochs were reported, but without the fault {undisturbed.reports}"
    if found.counts["runs_expected"] != undisturbed.counts["runs_expected"]:
        runs = found.counts["runs_expected"], undisturbed.counts["runs_expected"]
        yield f"MLflow should have {runs[0]} runs, but without the fault {runs[1]}"
    if not found.has_winner_of(undisturbed):
        what = "the same strategy" if found.winner == undisturbed.winner else "another strategy"
        yield f"another winner: {what}, {_scores(found)}, without the fault {_scores(undisturbed)}"


def _scores(facts: Facts) -> str:
    return f"validation {facts.validation:.6f} and test {facts.test:.6f}"


def _told(trials: Mapping[str, str]) -> str:
    return ", ".join(f"{number} {status}" for status, number in sorted(Counter(trials.values()).items()))
