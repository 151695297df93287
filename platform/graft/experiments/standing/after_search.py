"""How long what follows a search will take: finalists, the final fit, scoring, export, registration. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graft.experiments.budget import affordable_epochs, fit_epochs
from graft.experiments.progress import Progress, StageProgress, TrialProgress
from graft.experiments.stages import StageName, StageState
from graft.experiments.standing.candidates import candidates_of
from graft.experiments.standing.finalists import finalists_of, seconds_of
from graft.experiments.standing.pace import WORKER_SECONDS
from graft.experiments.standing.rest_of_run import DESCRIBING, SECONDS, RestOfRun
from graft.experiments.standing.scoring import rows_evaluated, rows_heard, seconds_to_hear, seconds_to_score
from graft.learner.ensemble.worth import chance_of_worth
from graft.search.outlook import Outlook

# Two processes train an epoch of the fit less than twice as fast as one.
_TOGETHER = 0.75
# How far off estimates are, as shares of what they are of, measured by tests/benchmarks/eta.py. Registering waits for
# whoever writes to the store just then.
_FIT, _REST, _REGISTER = 0.5, 0.7, 1.5
_OFF = {StageName.FIT: _FIT, StageName.REGISTER: _REGISTER}
# Of a stage that takes longer than was thought nothing is known but that: it goes on for this share of what has passed,
# give or take as much (8 times in 10, if durations are as heavy-tailed as 1/t^2).
_OVERDUE = 0.6


@dataclass(frozen=True)
class Part:
    """Seconds that something will still take, and how far off that may be, apart from all others."""

    seconds: float
    off: float
    follows_deadline: bool = False


@dataclass(frozen=True)
class AfterSearch:
    """What follows the search of a run.

    Attributes:
        progress: how the run stands.
        outlook: how big it is.
    """

    progress: Progress
    outlook: Outlook

    @property
    def slowness(self) -> float:
        """How many times as slow as two idle cores the machine is."""
        return self.progress.pace.slowness

    @property
    def rest(self) -> RestOfRun:
        """What the budget keeps, by what a journal knows of the machine."""
        return RestOfRun(self.progress, self.outlook, self.progress.samples, self._speed_up)

    def parts(self, now: float, room: float | None = None) -> list[Part]:
        """What is left of each stage, and of what is done between them.

        Args:
            now: seconds since the epoch.
            room: seconds that the budget has for it; None is no limit.
        """
        finals = self._finals()
        found = [Part(finals, _FIT * finals)]
        if self.outlook.is_remembered and self._stage(StageName.FIT).state is StageState.PENDING:
            describing = DESCRIBING * self.slowness
            found.append(Part(describing, _REST * describing))
        return [*found, *(self._left_of(name, now, room) for name in SECONDS)]

    def reserved(self) -> float:
        """Seconds that the budget keeps for it when it ends the search."""
        return self.rest.needed()

    def _left_of(self, name: StageName, now: float, room: float | None) -> Part:
        stage, passed = self._stage(name), 0.0
        if stage.state is StageState.RUNNING:
            passed = max(0.0, now - self._since(name, stage))
        seconds = self._seconds(name, None if room is None else room + passed)
        off = _OFF.get(name, _REST) * seconds
        if stage.state.is_terminal or (name == StageName.REGISTER and not self.outlook.is_registered):
            seconds = off = 0.0
        elif seconds - passed < _OVERDUE * passed:
            seconds = off = max(seconds - passed, _OVERDUE * passed)
        else:
            seconds -= passed
        return Part(seconds, off, name != StageName.FIT)

    def _since(self, name: StageName, stage: StageProgress) -> float:
        """When that began which `_seconds` is of."""
        chosen = self.progress.ensemble_chosen if name == StageName.FIT else None
        return stage.started if chosen is None else chosen

    def _seconds(self, name: StageName, room: float | None) -> float:
        """Of a whole stage; of the fit, once its members are chosen, from then on."""
        if name == StageName.FIT:
            return self._fit(None if room is None else room - self._kept_behind_fit())
        seconds = SECONDS[name] * self.slowness
        if name != StageName.EVALUATE:
            return seconds
        return seconds + rows_evaluated(self.progress.samples, self.outlook.views) * self._answering()

    def _fit(self, room: float | None) -> float:
        """The winner's; then candidates are heard in a process of their own, and those that are chosen are fitted."""
        progress = self.progress
        if progress.ensemble_chosen is not None:
            return self._fitted([progress.trials[name] for name in list(progress.shares)[1:]], room)
        winner, others = self._winner, self._others()
        seconds = self._fitted([winner] if winner else [], room) or SECONDS[StageName.EXPORT]  # weights are copied
        if self.outlook.members < 2:
            return seconds
        seconds += SECONDS[StageName.FIT] * self.slowness
        if winner is not None and others:
            a_row = seconds_to_hear([winner, *others], progress, progress.samples) / self._speed_up
            seconds += rows_heard(progress.samples, 1) * a_row
        room = None if room is None else room - seconds
        each = sum(self._fitted([one], room) for one in others) / max(1, len(others))
        behind = (self._members() - 1) * each
        return seconds + (behind if room is None else min(behind, max(0.0, room)))

    def _kept_behind_fit(self) -> float:
        reserve = self.rest.reserve()
        return reserve.evaluation + reserve.rest

    def _members(self) -> float:
        """Networks that the final model has, or may be expected to have."""
        if self.progress.ensemble_chosen is not None:
            return float(max(1, len(self.progress.shares)))
        more = min(self.outlook.members - 1, len(self._others()))
        return 1 + more * chance_of_worth(self.progress.samples.get("validation", 0))

    @property
    def _winner(self) -> TrialProgress | None:
        """The winner; before there is one, the trial that would be it now, or else one that was timed."""
        progress = self.progress
        found = progress.trials.get(progress.winner or "") or self.rest.winner
        return found or next((trial for trial in progress.ranked() if trial.epoch_seconds), None)

    def _others(self) -> list[TrialProgress]:
        """Who may answer with the winner; while the search goes on, trials like the best one."""
        winner, progress = self._winner, self.progress
        if winner is None or self.outlook.members < 2:
            return []
        if progress.winner is not None:
            return candidates_of(progress, winner)[1:]
        trials = self.outlook.trials
        return [winner] * (self.outlook.members - 1 if trials is None else min(self.outlook.members, trials) - 1)

    def _fitted(self, trials: Sequence[TrialProgress], room: float | None) -> float:
        """Seconds to train some trials on the rows of validation too, one after the other, as far as there is room."""
        total, epochs = 0.0, self.outlook.fit_epochs
        for trial in trials if epochs else ():
            wanted, an_epoch = fit_epochs(trial, epochs), self._an_epoch(trial)
            if room is not None:
                wanted = affordable_epochs(wanted, room - total - WORKER_SECONDS * self.slowness, an_epoch)
            total += wanted * an_epoch + SECONDS[StageName.FIT] * self.slowness if wanted else 0.0
        return total

    def _an_epoch(self, trial: TrialProgress) -> float:
        """Seconds of an epoch of the final fit."""
        return trial.mean_epoch * self.rest.fit_scale

    def _answering(self) -> float:
        """Seconds for an answer of the final model."""
        progress, winner = self.progress, self._winner
        if progress.ensemble_chosen is not None and progress.shares:
            return self._scoring([progress.trials[name] for name in progress.shares])
        alone = self._scoring([winner])
        added = [self._scoring([winner, one]) - alone for one in self._others()]
        return alone + (self._members() - 1) * sum(added) / max(1, len(added))

    def _scoring(self, trials: Sequence[TrialProgress | None]) -> float:
        """Seconds for an answer of some trials together."""
        known = [one for one in trials if one is not None]
        return seconds_to_score(known, self.progress, self.progress.samples) / self._speed_up

    def _finals(self) -> float:
        """Seconds of the finalists that were not scored by folds yet; while the search goes on, of as many as ask."""
        progress, spec = self.progress, self.outlook.evaluation
        if self._stage(StageName.SEARCH).state.is_terminal or not progress.samples.get("train", 0):
            return 0.0
        finalists = finalists_of(progress, spec)
        start = SECONDS[StageName.FIT] * self.slowness
        each = [seconds_of(one, spec, progress.samples) / self._speed_up + start for one in finalists]
        if progress.search_ended is not None:
            return sum(seconds for one, seconds in zip(finalists, each, strict=True) if not one.estimate)
        expected = max(len(each), min(spec.top or 0, self.outlook.trials or math.inf))
        return expected * sum(each) / max(1, len(each))

    @property
    def _speed_up(self) -> float:
        return max(1.0, self.progress.at_once * _TOGETHER)

    def _stage(self, name: StageName) -> StageProgress:
        return self.progress.stages.get(name, StageProgress())
