"""What is counted as trials change is what counting all of them gives."""

import random
from collections import Counter

import pytest

from graft.experiments.progress import RUNNING, Progress
from graft.experiments.standing.tally import Tally
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.spec.tasks.lookup import metric_named


def happened(seed: int, metric: str) -> list[events.Event]:
    """A search of any order: starts, reports, ends, trials that are tried again, and runs that are cut off."""
    rng = random.Random(seed)
    found: list[events.Event] = []
    running: dict[str, int] = {}
    ended: list[str] = []
    for number in range(60):
        choice = rng.random()
        if choice < 0.3 or not running:
            name = f"t{number}"
            found.append(events.TrialStarted(name, {}, name, phase=rng.randrange(2), epochs=rng.randrange(1, 9)))
            running[name] = 0
            continue
        name = rng.choice(sorted(running))
        if choice < 0.7:
            running[name] += 1
            value = rng.choice([0.1, 0.2, 0.3, float("nan")])
            metrics = {f"val/{metric}": value}
            if running[name] == 1:  # what features took comes with the first report
                metrics |= {"cache/pass_seconds": rng.random(), "cache/misses": float(rng.randint(1, 5))}
            found.append(events.TrialReported(name, running[name], metrics, 1.0))
        elif choice < 0.9:
            found.append(events.TrialFinished(name, rng.choice([*TrialStatus])))
            del running[name]
            ended.append(name)
        elif ended:
            again = ended.pop()
            found.append(events.TrialRetried(again))
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_it_is_what_counting_all_gives_after_every_event(seed: int, metric: str) -> None:
    progress = Progress(metric_named(metric), 8)
    for event in happened(seed, metric):
        progress.apply(event)
        tally, trials = progress.tally, list(progress.trials.values())
        assert isinstance(tally, Tally)
        assert tally.leader is next((one for one in progress.ranked() if one.best_epoch), None)
        assert tally.running == {one.trial: one for one in trials if one.status == RUNNING}
        assert tally.num_ended == sum(one.has_ended for one in trials)
        assert +tally.begun == Counter(one.phase for one in trials)
        for phase in (0, 1):
            mine = [one for one in trials if one.phase == phase]
            assert +tally.ended.get(phase, Counter()) == Counter(one.epoch for one in mine if one.has_ended)
            assert tally.most.get(phase, 0) == max((one.epochs for one in mine), default=0)
        assert tally.pass_seconds == max((one.pass_seconds for one in trials), default=0.0)
