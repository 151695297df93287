"""How long a run will still take: the rest of the search, and the stages that follow it. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.experiments.budget import TOLERANCE
from graft.experiments.progress import Progress
from graft.experiments.stages import StageName, StageState
from graft.experiments.standing.after_search import AfterSearch, Part
from graft.experiments.standing.pace import Pace
from graft.search.outlook import Outlook
from graft.spec.search.phases import Phase

# A trial that has come further than trials do on average may go on to its end; how many of those epochs count.
_GOES_ON = 0.4
# How many trials the scheduler's own expectation weighs as much as, against those that have ended.
_PRIOR = 2.0
# How far off estimates are, measured by tests/benchmarks/eta.py: as shares of what they are of, and at least so many
# seconds. That of a search shrinks as trials end; what other processes do to the machine does not.
_SEARCH, _FIRST_TRIALS, _LEAST = 0.3, 0.6, 2.0
# On a machine that is e times slower than an idle one, others take it: all that is left may be so much off together.
_OTHERS = 0.25
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
    if progress.pace.trained_since is None and not _after_search(progress):
        return None
    slowness, left = progress.pace.slowness, _until_deadline(progress, outlook, now)
    after = AfterSearch(progress, outlook)
    search, is_cut = _search(progress, outlook, now, left - after.reserved())
    # Who resumes a run gets the whole fit.
    is_limited = outlook.minutes is not None and progress.runs < 2
    room = left + TOLERANCE * 60 * (outlook.minutes or 0.0) - search.seconds
    parts = [search, *after.parts(now, room if is_limited else None)]
    seconds, band = sum(part.seconds for part in parts), _band(parts)
    if is_cut:
        # So is a fit, where there is no time for it; scoring takes what it takes, whatever the budget says.
        others = [part for part in parts[1:] if part.follows_deadline]
        seconds, band = min(seconds, max(left, sum(part.seconds for part in others))), _band([search, *others])
    return TimeLeft(seconds, band + _OTHERS * math.log(slowness) * seconds)


def _until_deadline(progress: Progress, outlook: Outlook, now: float) -> float:
    """Seconds that the budget has left; infinite if it has no minutes."""
    if outlook.minutes is None:
        return math.inf
    return outlook.minutes * 60 - progress.spent - (now - progress.now)


def _search(progress: Progress, outlook: Outlook, now: float, most: float) -> tuple[Part, bool]:
    """What is left of the search, and whether its budget ends it: when that has just enough for what follows."""
    if _after_search(progress):
        return Part(0.0, 0.0), False
    seconds = _search_seconds(progress, outlook, now)
    if outlook.minutes is None or (outlook.trials is not None and seconds < most):
        return Part(seconds, seconds * _search_share(progress)), False
    ended = progress.search_ended is not None
    return Part(0.0 if ended else max(0.0, most), _DEADLINE * outlook.minutes * 60), True


def _band(parts: Sequence[Part]) -> float:
    return math.hypot(*(part.off + (_LEAST if part.seconds else 0.0) for part in parts))


def _after_search(progress: Progress) -> bool:
    search = progress.stages.get(StageName.SEARCH)
    return search is not None and search.state in (StageState.DONE, StageState.SKIPPED)


def _search_share(progress: Progress) -> float:
    return _SEARCH + _FIRST_TRIALS / math.sqrt(1 + progress.tally.num_ended) + _UNSTEADY * _unsteadiness(progress.pace)


def _unsteadiness(pace: Pace) -> float:
    """How much faster or slower the second half of the epochs so far came than the first, as a share; at most 1."""
    at, half = pace.reported_at, len(pace.reported_at) // 2
    if half < 2:
        return 0.0
    first, second = at[half - 1] - at[0], at[-1] - at[-half]
    return min(1.0, abs(second - first) / max(first, second, 1e-9))


def _search_seconds(progress: Progress, outlook: Outlook, now: float) -> float:
    """Epochs that are left, at the pace of those of this run: so trials at once, starts and pauses are counted."""
    if progress.search_ended is not None:
        return 0.0
    epochs = sum(_epochs_left(progress, outlook, phase) for phase in outlook.phases)
    running = len(progress.tally.running)
    began = progress.pace.trained_since or now
    # Of those that run, each is half-way through an epoch on average.
    return epochs * (now - began) / (progress.pace.reported + 0.5 * max(0, running - 1))


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
