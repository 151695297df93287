import math

import pytest

from graft.journal import events
from graft.journal.events import TrialStatus
from graft.meta.memory.from_journal import COPIED, records_of, task_name
from graft.meta.memory.records import TrialState
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.tracking.target import run_key

STRATEGY = Strategy(freeze=0.5)
KEY = run_key("key-1")


def begun(**job):
    plain = parse_job({"name": "digits", "data": "digits", "task": "classification", **job}).model_dump(mode="json")
    return events.ExperimentStarted("digits-1", "key-1", plain, {"torch": "2.14.1"}, "a cpu", time=1.0)


def ready(**changes):
    usual = {"fingerprint": "f0", "source": "digits", "counts": {"train": 90, "validation": 10}, "classes": ("a", "b")}
    return events.DatasetReady(**{**usual, "task": "classification", "modality": "image", **changes}, time=2.0)


def started(name="t01", strategy=STRATEGY, start=None):
    plain = strategy.model_dump(mode="json")
    return events.TrialStarted(name, plain, strategy.label(), 0, epochs=4, start=start, time=3.0)


def reported(epoch, value, name="t01", seconds=2.0):
    return events.TrialReported(name, epoch, {"val/accuracy": value, "val/loss": 1.0}, seconds, time=3.0 + 2 * epoch)


def finished(status=TrialStatus.COMPLETED, name="t01"):
    return events.TrialFinished(name, status, "", time=20.0, seconds=9.0)


def test_a_trial_is_remembered_with_its_curve_cost_device_and_versions():
    found = records_of([begun(), ready(), started(), reported(1, 0.5), reported(2, 0.7), finished()])
    first, second = found.records
    assert (first.epoch, first.value, first.seconds) == (1, 0.5, 2.0)
    assert (second.epoch, second.value, second.seconds, second.written_at) == (2, 0.7, 4.0, 7.0)
    assert (second.trial, second.state, second.epochs) == (f"{KEY}/t01", TrialState.FINISHED, 4)
    assert (second.device, second.versions, second.source) == ("a cpu", {"torch": "2.14.1"}, "run:digits-1")
    assert (second.metric, second.direction, second.backbone) == ("accuracy", "max", "efficientnet_lite0")
    assert Strategy.read_stored(second.nested_strategy) == STRATEGY
    assert (second.modality, second.task_kind) == ("image", "classification")


def test_the_task_is_named_by_its_samples_and_question_not_by_the_job():
    one, other = (records_of([begun(name=name), ready()]).task for name in ("x", "y"))
    assert one.task == other.task == task_name("f0", "classification")
    assert (one.title, one.rows, one.outputs) == ("x", 90, 2)
    assert records_of([begun(), ready(fingerprint="f1")]).task.task != one.task
    assert records_of([begun(), ready(task="regression")]).task.task != one.task


def test_names_of_labels_stay_away_unless_they_are_asked_for():
    assert records_of([begun(), ready()]).task.output_names == ()
    assert records_of([begun(memory={"label_names": True}), ready()]).task.output_names == ("a", "b")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (TrialStatus.COMPLETED, TrialState.FINISHED),
        (TrialStatus.STOPPED, TrialState.STOPPED),
        (TrialStatus.INTERRUPTED, TrialState.STOPPED),
        (TrialStatus.FAILED, TrialState.FAILED),
    ],
)
def test_every_end_is_remembered(status, state):
    (one,) = records_of([begun(), ready(), started(), reported(1, 0.5), finished(status)]).records
    assert one.state is state


def test_a_trial_that_failed_at_once_is_remembered_without_a_value():
    (one,) = records_of([begun(), ready(), started(), finished(TrialStatus.FAILED)]).records
    assert (one.value, one.epoch, one.state, one.seconds) == (None, None, TrialState.FAILED, 9.0)


def test_a_value_that_cannot_be_is_no_record():
    (one,) = records_of([begun(), ready(), started(), reported(1, math.nan), reported(2, 0.5), finished()]).records
    assert (one.epoch, one.seconds) == (2, 4.0)


def test_a_trial_without_an_end_was_cut_off_or_goes_on():
    story = [begun(), ready(), started(), reported(1, 0.5)]
    assert [one.state for one in records_of(story).records] == [TrialState.STOPPED]
    assert records_of(story, is_over=False).records == ()


def test_an_epoch_that_was_trained_again_counts_once():
    story = [begun(), ready(), started(), reported(1, 0.5), reported(2, 0.6)]
    again = [*story, begun(), started(), reported(2, 0.65), reported(3, 0.7), finished()]
    assert [(one.epoch, one.value, one.seconds) for one in records_of(again).records] == [
        (1, 0.5, 2.0),
        (2, 0.65, 4.0),
        (3, 0.7, 6.0),
    ]


def test_what_goes_on_from_another_trial_is_told_apart_and_counts_less():
    plain = STRATEGY.model_copy(update={"lr": 0.1}).model_dump(mode="json")
    copied = events.TrialExploited("t02", 1, plain, "", "t01", 0, 1, {}, time=8.0)
    story = [begun(), ready(), started("t02"), reported(1, 0.4, "t02"), copied, reported(2, 0.6, "t02")]
    found = records_of([*story, started("t03", start=("t01", 0, 2)), reported(3, 0.7, "t03")]).records
    assert [(one.trial, one.epoch, one.weight) for one in found] == [
        (f"{KEY}/t02", 1, 1.0),
        (f"{KEY}/t02.1", 2, COPIED),
        (f"{KEY}/t03", 3, COPIED),
    ]
    assert found[1].strategy["lr"] == 0.1


@pytest.mark.parametrize("story", [[], [begun()], [begun(), started(), reported(1, 0.5)]])
def test_nothing_is_known_of_an_experiment_without_samples(story):
    assert records_of(story).records == ()


def test_reading_again_gives_the_same():
    story = [begun(), ready(), started(), reported(1, 0.5), finished()]
    assert records_of(story) == records_of(iter(story))
