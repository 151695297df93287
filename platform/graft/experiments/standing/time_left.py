"""How long a run will still take: the rest of the search, and the stages that follow it. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.experiments.budget import fit_epochs
from graft.experiments.progress import Progress, StageProgress
from graft.experiments.stages import StageName, StageState
from graft.experiments.standing.scoring import seconds_to_score
from graft.search.outlook import Outlook
from graft.spec.search.phases import Phase

# What follows the search besides training, on two idle cores: starting a process that imports torch; the same, and
# reading the test rows; writing the bundle; registering it.
SECONDS: dict[StageName, float] = {
    StageName.FIT: 6.0,
    StageName.EVALUATE: 1.5,
    StageName.EXPORT: 0.5,
    StageName.REGISTER: 3.0,
}
# How long such a machine takes to its first trial; and to find out what a task is like, between search and fit.
START_UP, DESCRIBING = 6.0, 3.5
# A machine is taken to be as much slower as its start-up and its first process were, up to this factor.
MAX_SLOWNESS = 30.0
# Two processes train an epoch of the fit less than twice as fast as one.
_TOGETHER = 0.75
# A trial that has come further than trials do on average may go on to its end; how many of those epochs count.
_GOES_ON = 0.4
# How many trials the scheduler's own expectation weighs as much as, against those that have ended.
_PRIOR = 2.0
# How often an ensemble beats the winner alone, so that its other members are fitted, too.
_KEPT = 0.5
# How far off estimates are, measured by tests/benchmarks/eta.py: as shares of what they are of, and at least so many
# seconds. That of a search shrinks as trials end; what other processes do to the machine does not. Registering waits
# for whoever writes to the store just then.
_SEARCH, _FIRST_TRIALS, _FIT, _REST, _REGISTER, _LEAST = 0.3, 0.6, 0.5, 0.7, 1.5, 2.0
_OFF = {StageName.FIT: _FIT, StageName.REGISTER: _REGISTER}
# On a machine that is e times slower than an idle one, others take it: all that is left may be so much off together.
_OTHERS = 0.25
# Of a stage that takes longer than was thought nothing is known but that: it goes on for this share of what has passed,
# give or take as much (8 times in 10, if durations are as heavy-tailed as 1/t^2).
_OVERDUE = 0.6
# Of the difference in pace between the halves of a search so far, how much its rest may be off besides.
_UNSTEADY = 0.7
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
    parts = [Part(search, search * _search_share(progress)), *_stages(progress, outlook, now)]
    seconds = sum(part.seconds for part in parts)
    band = _band(parts) + _OTHERS * math.log(_slowness(progress)) * seconds
    if outlook.minutes is None or _after_search(progress):
        return TimeLeft(seconds, band)
    until_deadline = max(0.0, outlook.minutes * 60 - progress.spent - (now - progress.now))
    if outlook.trials is not None and seconds < until_deadline:
        return TimeLeft(seconds, band)
    # Scoring takes what it takes, whatever the budget says.
    after = [part for part in parts if part.follows_deadline]
    rest = sum(part.seconds for part in after)
    missed = _DEADLINE * outlook.minutes * 60 + _LEAST
    return TimeLeft(max(until_deadline, rest), math.hypot(missed, _band(after)))


@dataclass(frozen=True)
class Part:
    """Seconds that something will still take, and how far off that may be, apart from all others."""

    seconds: float
    off: float
    follows_deadline: bool = False


def _band(parts: Sequence[Part]) -> float:
    return math.hypot(*(part.off + (_LEAST if part.seconds else 0.0) for part in parts))


def _after_search(progress: Progress) -> bool:
    search = progress.stages.get(StageName.SEARCH)
    return search is not None and search.state in (StageState.DONE, StageState.SKIPPED)


def _search_share(progress: Progress) -> float:
    return _SEARCH + _FIRST_TRIALS / math.sqrt(1 + progress.tally.num_ended) + _UNSTEADY * _unsteadiness(progress)


def _unsteadiness(progress: Progress) -> float:
    """How much faster or slower the second half of the epochs so far came than the first, as a share; at most 1."""
    at, half = progress.reported_at, len(progress.reported_at) // 2
    if half < 2:
        return 0.0
    first, second = at[half - 1] - at[0], at[-1] - at[-half]
    return min(1.0, abs(second - first) / max(first, second, 1e-9))


def _slowness(progress: Progress) -> float:
    """How many times as slow as two idle cores this machine starts processes; at least 1."""
    ratios = [
        seconds / idle
        for seconds, idle in ((progress.start_up, START_UP), (progress.first_wait, SECONDS[StageName.FIT]))
        if seconds
    ]
    return min(max(math.prod(ratios) ** (1 / max(1, len(ratios))), 1.0), MAX_SLOWNESS)


def _search_seconds(progress: Progress, outlook: Outlook, now: float) -> float:
    """Epochs that are left, at the pace of those of this run: so trials at once, starts and pauses are counted."""
    if progress.search_ended is not None:
        return 0.0
    epochs = sum(_epochs_left(progress, outlook, phase) for phase in outlook.phases)
    running = len(progress.tally.running)
    began = progress.trained_since or now
    # Of those that run, each is half-way through an epoch on average.
    return epochs * (now - began) / (progress.reported + 0.5 * max(0, running - 1))


def _stages(progress: Progress, outlook: Outlook, now: float) -> list[Part]:
    """What is left of each stage after the search, and of what is done between them."""
    slowness, found = _slowness(progress), []
    fit = progress.stages.get(StageName.FIT, StageProgress())
    if outlook.is_remembered and fit.state is StageState.PENDING:
        found.append(Part(DESCRIBING * slowness, _REST * DESCRIBING * slowness))
    for name in SECONDS:
        stage = progress.stages.get(name, StageProgress())
        seconds, off = _of_stage(name, progress, outlook, slowness)
        if stage.state.is_terminal or (name == StageName.REGISTER and not outlook.is_registered):
            seconds = off = 0.0
        elif stage.state is StageState.RUNNING:
            passed = max(0.0, now - stage.started)
            if seconds - passed < _OVERDUE * passed:
                seconds = off = max(seconds - passed, _OVERDUE * passed)
            else:
                seconds -= passed
        found.append(Part(seconds, off, name != StageName.FIT))
    return found


def _of_stage(name: StageName, progress: Progress, outlook: Outlook, slowness: float) -> tuple[float, float]:
    """Seconds of a whole stage, and how far off they may be."""
    if name == StageName.FIT and not outlook.fit_epochs:
        seconds = SECONDS[StageName.EXPORT]  # weights of the search are taken
        return seconds, _FIT * seconds
    seconds = SECONDS[name] * slowness + _work(name, progress, outlook)
    off = _OFF.get(name, _REST) * seconds
    if name == StageName.FIT and outlook.members > 1 and not progress.is_ensemble_chosen:
        # A process hears all candidates; then the other members are fitted as the winner is, or not.
        others = (outlook.members - 1) * seconds
        return seconds + SECONDS[name] * slowness + _KEPT * others, off + (1 - _KEPT) * others
    if name == StageName.FIT:
        members = max(1, len(progress.shares))
        return members * seconds, members * off
    return seconds, off


def _work(name: StageName, progress: Progress, outlook: Outlook) -> float:
    """What a stage computes: epochs of the best trial, on the rows of validation too; a pass over the test rows."""
    best = progress.tally.leader or next((trial for trial in progress.ranked() if trial.epoch_seconds), None)
    train = progress.samples.get("train", 0)
    if best is None or not train or name not in (StageName.FIT, StageName.EVALUATE):
        return 0.0
    validation, test = progress.samples.get("validation", 0), progress.samples.get("test", 0)
    speed_up = max(1.0, progress.at_once * _TOGETHER)
    if name == StageName.FIT:
        return fit_epochs(best, outlook.fit_epochs) * (train + validation) * best.mean_epoch / train / speed_up
    each = seconds_to_score(best, progress.samples, progress.tally.pass_seconds)
    return each * (test + validation) / speed_up * max(1, len(progress.shares))


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
