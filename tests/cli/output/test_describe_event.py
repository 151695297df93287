import pytest

from graft.cli.output.describe_event import narrate
from graft.journal import events
from graft.journal.events import ExperimentStatus, TrialStatus
from graft.journal.lines import Line


def told(event, **how):
    return narrate(Line(0, 1, event, **how))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.WriterOpened(2, "node-7", 41), "writer 2 opens the journal: pid 41 on node-7"),
        (events.StageFailed("fit", 2.0, "no space"), "stage fit failed after 2.0 s: no space"),
        (events.StageSkipped("fit", "it is there"), "stage fit skipped: it is there"),
        (events.DatasetReady("ab", "digits", {"train": 9, "test": 3}), "data digits: 9 train, 3 test"),
        (
            events.DatasetReady(
                "ab", "x", {"train": 9}, ignored=({"reason": "suffix .txt", "count": 3, "examples": ["a.txt"]},)
            ),
            "data x: 9 train: left out (suffix .txt: 3)",
        ),
        (events.PhaseStarted(0, "asha", "tpe", 9), "phase 1 starts: asha over tpe, to epoch 9"),
        (events.PhaseFinished(0, 4, 0.91, "t02", 8.0), "phase 1 done in 8.0 s, 4 trials: best 0.910 of t02"),
        (events.TimeLeftEstimated(80.4, 21.0), "about 80 ± 21 s are left"),
        (events.PhaseFinished(0, 4, None, None, 8.0), "phase 1 done in 8.0 s, 4 trials"),
        (events.SearchEnded("minutes", "60 s are spent"), "search ends by minutes: 60 s are spent"),
        (events.ResourcesAwaited("for 1 GPU"), "waiting for 1 GPU"),
        (events.ResourcesAwaited(""), "waiting is over"),
        (events.DuplicateSkipped(None, "t00", "k"), "a strategy is left out: it means the same as that of t00"),
        (events.TrialStarted("t01", {}, "net", start=("t00", 0, 3)), "t01 starts: net, from t00 at epoch 3"),
        (events.TrialPlaced("t01", ("a", "b")), "t01 is trained on a, b"),
        (events.TrialReported("t01", 2, {"val/accuracy": 0.5}, 1.5), "t01 epoch 2 in 1.5 s: val/accuracy 0.5"),
        (events.TrialFinished("t01", TrialStatus.COMPLETED, epochs=3), "t01 completed after 3 epochs"),
        (events.TrialNoted("t01", "a checkpoint is damaged"), "t01: a checkpoint is damaged"),
        (events.TrialRetried("t01"), "t01 is to be tried again"),
        (events.WinnerChosen("t01", "the best"), "t01 wins: the best"),
        (events.Evaluated({"accuracy": 0.97}), "the final model on the test data: accuracy 0.97"),
        (events.TrialEstimated("t01", {"accuracy": 0.9}, 5.0), "t01 by folds, in 5.0 s: accuracy 0.9"),
        (events.EnsembleChosen({"t01": 0.6}, True, 0.9, 0.8, "ensemble of t01 0.60"), "ensemble of t01 0.60"),
        (
            events.Evaluated({"accuracy": 0.97}, alone={"accuracy": 0.96}, ms={"all": 9.0, "alone": 3.0}),
            "the final model on the test data: accuracy 0.97; the winner alone: accuracy 0.96; "
            "ms a sample: all 9, alone 3",
        ),
        (
            events.MetaModelMade("glyphs", "ab", "lite0", "cd", (), "challenger", "it may be worse"),
            "meta-model glyphs is challenger: it may be worse",
        ),
        (events.ModelRegistered("models:/x/1", "1"), "registered as models:/x/1"),
        (events.ExperimentFinished(ExperimentStatus.FAILED, 3.0, "no"), "experiment failed after 3.0 s: no"),
    ],
)
def test_a_record_is_told_in_words(event, text):
    assert told(event) == text


def test_kinds_without_words_are_told_by_their_fields():
    text = told(events.PlanMade({"trials": 4}, "2 CPU", cpus=1.0))
    assert text.startswith("PlanMade: plan trials 4, resources 2 CPU, cpus 1.0")


def test_no_line_is_broken():
    assert "\n" not in told(events.PlanMade({"text": "a\nb" * 200}))


def test_a_record_that_does_not_count_says_so():
    assert told(events.WinnerChosen("t01", "x"), is_fenced=True).endswith("had lost the lease)")


def test_unknown_kinds_are_admitted():
    assert "does not know" in told(None)
