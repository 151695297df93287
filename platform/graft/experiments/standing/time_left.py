"""How long a run will still take: the rest of the search, and the stages that follow it. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from graft.experiments.budget import fit_epochs
from graft.experiments.progress import Progress, StageProgress
from graft.experiments.stages import StageName, StageState
from graft.search.outlook import Outlook
from graft.spec.search.phases import Phase

# What follows the search besides training, on two idle cores: starting a process that imports torch, reading the test
# rows, writing the bundle, registering it; and how long such a machine takes to its first trial.
SECONDS: dict[StageName, float] = {
    StageName.FIT: 6.0,
    StageName.EVALUATE: 1.5,
    StageName.EXPORT: 0.5,
    StageName.REGISTER: 2.0,
}
START_UP = 6.0
# A machine is taken to be as much slower as its start-up was, up to this factor.
MAX_SLOWNESS = 4.0
# Two processes train an epoch of the fit less than twice as fast as one.
_TOGETHER = 0.75
# A trial that has come further than trials do on average may go on to its end; how many of those epochs count.
_GOES_ON = 0.4
# How many trials the scheduler's own expectation weighs as much as, against those that have ended.
_PRIOR = 2.0
# How far off estimates are, measured by tests/benchmarks/eta.py: as shares of what they are of, and at least so many
# seconds. That of a search shrinks as trials end; what other processes do to the machine does not.
_SEARCH, _FIRST_TRIALS, _FIT, _REST, _LEAST = 0.3, 0.6, 0.5, 0.7, 2.0
# A run may miss its deadline by this share.
_DEADLINE = 0.05


@dataclass(frozen=True)
class TimeLeft:
    """Seconds until the run is over, and how far off that may be to each side; the truth is there 8 times in 10."""

    seconds: float
    band: float

    def holds(self, truth: float) -> bool:
        """Whether a run that took so many more seconds was as long as was said."""
        return abs(truth - self.seconds) <= self.band


def time_left(progress: Progress, outlook: Outlook, now: float | None = None) -> TimeLeft | None:
    """What is left of a run: search, fit, evaluation, export, registration; None before the first epoch has ended.

    Args:
        progress: how the run stands.
        outlook: how big it is.
        now: seconds since the epoch; the time of the last record if None.
    """
    now = progress.now if now is None else max(now, progress.now)
    if progress.trained_since is None and not _after_search(progress):
        return None
    search = 0.0 if _after_search(progress) else _search_seconds(progress, outlook, now)
    parts = [(search, _search_share(progress)), *_stages(progress, outlook, now)]
    seconds = sum(part for part, _ in parts)
    band = math.hypot(*(part * share + (_LEAST if part else 0.0) for part, share in parts))
    if outlook.minutes is None or _after_search(progress):
        return TimeLeft(seconds, band)
    until_deadline = max(0.0, outlook.minutes * 60 - progress.spent - (now - progress.now))
    if outlook.trials is not None and seconds < until_deadline:
        return TimeLeft(seconds, band)
    # Scoring takes what it takes, whatever the budget says.
    after = sum(part for part, _ in parts[2:])
    return TimeLeft(max(until_deadline, after), _DEADLINE * outlook.minutes * 60 + _LEAST)


def _after_search(progress: Progress) -> bool:
    search = progress.stages.get(StageName.SEARCH)
    return search is not None and search.state in (StageState.DONE, StageState.SKIPPED)


def _search_share(progress: Progress) -> float:
    return _SEARCH + _FIRST_TRIALS / math.sqrt(1 + progress.tally.num_ended)


def _search_seconds(progress: Progress, outlook: Outlook, now: float) -> float:
    """Epochs that are left, at the pace of those of this run: so trials at once, starts and pauses are counted."""
    if progress.search_ended is not None:
        return 0.0
    epochs = sum(_epochs_left(progress, outlook, phase) for phase in outlook.phases)
    running = len(progress.tally.running)
    began = progress.trained_since or now
    # Of those that run, each is half-way through an epoch on average.
    return epochs * (now - began) / (progress.reported + 0.5 * max(0, running - 1))


def _stages(progress: Progress, outlook: Outlook, now: float) -> list[tuple[float, float]]:
    """Seconds of each stage after the search that are left, and how far off they may be, as a share."""
    slowness = min(max((progress.start_up or START_UP) / START_UP, 1.0), MAX_SLOWNESS)
    found = []
    for name, share in ((StageName.FIT, _FIT), *((name, _REST) for name in SECONDS if name != StageName.FIT)):
        stage = progress.stages.get(name, StageProgress())
        seconds = SECONDS[name] * slowness + _work(name, progress, outlook)
        if stage.state.is_terminal or (name == StageName.REGISTER and not outlook.is_registered):
            seconds = 0.0
        elif name == StageName.FIT and not outlook.fit_epochs:
            seconds = SECONDS[StageName.EXPORT]  # weights of the search are taken
        elif stage.state is StageState.RUNNING:
            # A stage that takes longer than was thought is not over at once.
            passed = max(0.0, now - stage.started)
            seconds = max(seconds - passed, 0.25 * passed)
        found.append((seconds, share))
    return found


def _work(name: StageName, progress: Progress, outlook: Outlook) -> float:
    """What a stage computes: epochs of the best trial, on the rows of validation too; a pass over the test rows."""
    best = progress.tally.leader or next((trial for trial in progress.ranked() if trial.epoch_seconds), None)
    train = progress.samples.get("train", 0)
    if best is None or not train or name not in (StageName.FIT, StageName.EVALUATE):
        return 0.0
    validation, test = progress.samples.get("validation", 0), progress.samples.get("test", 0)
    speed_up = max(1.0, progress.at_once * _TOGETHER)
    a_row = sum(best.epoch_seconds) / len(best.epoch_seconds) / train / speed_up
    if name == StageName.FIT:
        return fit_epochs(best, outlook.fit_epochs) * (train + validation) * a_row
    # Where trials train on stored features, scoring goes through the frozen blocks besides.
    return a_row * test + progress.tally.pass_seconds / (train + validation) * (test + validation) / speed_up


def _epochs_left(progress: Progress, outlook: Outlook, phase: Phase) -> float:
    tally = progress.tally
    ended: Mapping[int, int] = tally.ended.get(phase.index, {})
    trained = sum(count * _trained(epoch, outlook, phase) for epoch, count in ended.items())
    expected = (_PRIOR * outlook.epochs[phase.index] + trained) / (_PRIOR + sum(ended.values()))
    is_over = phase.index in progress.phases and progress.phases[phase.index].seconds is not None
    pending = 0 if is_over or phase.trials is None else max(0, phase.trials - tally.begun[phase.index])
    mine = [trial for trial in tally.running.values() if trial.phase == phase.index]
    running = [_trained(trial.epoch, outlook, phase) for trial in mine]
    most = tally.most.get(phase.index, 0) - _before(outlook, phase)
    return pending * expected + sum(max(expected - one, _GOES_ON * (most - one), 0.0) for one in running)


def _trained(epoch: int, outlook: Outlook, phase: Phase) -> int:
    return max(0, epoch - _before(outlook, phase))


def _before(outlook: Outlook, phase: Phase) -> int:
    """Epochs that the trials of a phase have behind them when they begin."""
    return outlook.phases[phase.index - 1].epochs if phase.from_top else 0
