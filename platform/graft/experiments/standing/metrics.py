"""What Prometheus is told of a run: all metrics of graft, and their values from how the run stands.

``docs/observability.md`` shows them to users, ``deploy/grafana`` draws them.
"""

import time
from collections.abc import Iterator

from graft.experiments.budget import price_of_an_hour
from graft.experiments.progress import RUNNING, Progress
from graft.experiments.run_clock import RunClock
from graft.journal.events import TrialStatus
from graft.tracking.relay_files import RelayFiles
from graft.workers.exporter import Kind, Metric, Sample

_OF = ("experiment",)

TRIALS = Metric("graft_trials", Kind.GAUGE, "Trials of an experiment by state.", ("experiment", "state"))
EPOCHS = Metric("graft_epochs", Kind.COUNTER, "Epochs that trials have trained; its rate is epochs a second.", _OF)
TRAINING = Metric("graft_training_seconds", Kind.COUNTER, "Seconds that those epochs took, added up.", _OF)
CACHE_HITS = Metric("graft_cache_hits", Kind.COUNTER, "Sets of stored features that trials went on from.", _OF)
CACHE_MISSES = Metric("graft_cache_misses", Kind.COUNTER, "Sets of features that had to be computed.", _OF)
RELAY_LAG = Metric(
    "graft_relay_lag_seconds", Kind.GAUGE, "Age of the oldest record that has not reached MLflow; 0 if all have.", _OF
)
SPENT = Metric("graft_spent_seconds", Kind.GAUGE, "Seconds that the runs of an experiment have taken.", _OF)
BUDGET = Metric("graft_budget_seconds", Kind.GAUGE, "Seconds after which its budget is spent; none if unlimited.", _OF)
COST = Metric(
    "graft_cost", Kind.GAUGE, "Money spent, at the job's resources.price, in its currency; none without prices.", _OF
)
BEST = Metric("graft_best_score", Kind.GAUGE, "Best validation score of a trial so far.", ("experiment", "metric"))

METRICS = (TRIALS, EPOCHS, TRAINING, CACHE_HITS, CACHE_MISSES, RELAY_LAG, SPENT, BUDGET, COST, BEST)
STATES = (RUNNING, *(str(status) for status in TrialStatus))


def measured(name: str, run: RunClock, relay: RelayFiles, now: float | None = None) -> Iterator[Sample]:
    """All that there is to tell of a run that goes on.

    Args:
        name: of the experiment.
        run: its clock.
        relay: of its relay.
        now: seconds since the epoch; the clock's if left out.

    Raises:
        ArtifactError: the journal is damaged.
    """
    mine = {"experiment": name}
    yield from _trials(mine, run.progress)
    yield Sample(SPENT, run.spent, mine)
    if run.deadline is not None:
        yield Sample(BUDGET, run.deadline.seconds, mine)
    an_hour = price_of_an_hour(run.job.resources.price, run.allocation)
    if an_hour:
        yield Sample(COST, run.spent / 3600 * an_hour, mine)
    yield Sample(RELAY_LAG, relay.lag(time.time() if now is None else now), mine)


def _trials(mine: dict[str, str], progress: Progress) -> Iterator[Sample]:
    trials = list(progress.trials.values())  # the driver goes on meanwhile
    states = [trial.status for trial in trials]
    for state in STATES:
        yield Sample(TRIALS, states.count(state), {**mine, "state": state})
    yield Sample(EPOCHS, sum(len(trial.epoch_seconds) for trial in trials), mine)
    yield Sample(TRAINING, sum(sum(trial.epoch_seconds) for trial in trials), mine)
    yield Sample(CACHE_HITS, sum(trial.cache.get("hits", 0.0) for trial in trials), mine)
    yield Sample(CACHE_MISSES, sum(trial.cache.get("misses", 0.0) for trial in trials), mine)
    best = next((score for trial in progress.ranked() if (score := progress.score(trial)) is not None), None)
    if best is not None:
        yield Sample(BEST, best, {**mine, "metric": progress.metric.name})
