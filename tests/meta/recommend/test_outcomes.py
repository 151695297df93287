import math

from graft.meta.memory.records import Record, TrialState
from graft.meta.recommend.outcomes import Candidate, Outcome, outcomes_of


def record(task: str, backbone: str, value: float | None, **rest: object) -> Record:
    given: dict[str, object] = {"metric": "accuracy", "direction": "max", "trial": backbone, **rest}
    return Record(task, "image", "classification", backbone, value=value, **given)  # type: ignore[arg-type]


def test_a_curve_is_worth_its_best_epoch_and_costs_its_last() -> None:
    rows = [
        record("t", "a", value, epoch=at, epochs=3, seconds=2.0 * at) for at, value in ((1, 0.5), (2, 0.8), (3, 0.7))
    ]
    found = outcomes_of(rows)["t"]
    assert found.outcomes == {
        Candidate("a"): Outcome(0.8, 6.0, 1.0, ((1, 3, 0.5), (2, 3, 0.8), (3, 3, 0.7))),
    }


def test_a_metric_of_which_less_is_better_is_turned() -> None:
    found = outcomes_of(
        [record("t", one, loss, metric="loss", direction="min") for one, loss in (("a", 2.0), ("b", 1.0))]
    )
    assert found["t"].is_loss
    assert found["t"].values == {Candidate("a"): -2.0, Candidate("b"): -1.0}


def test_failures_stay_without_a_value_and_nan_is_left_out() -> None:
    rows = [
        record("t", "a", None, state=TrialState.FAILED),
        record("t", "b", math.nan),
        record("t", "c", 0.5),
    ]
    found = outcomes_of(rows)["t"]
    assert found.outcomes == {Candidate("a"): Outcome(None), Candidate("c"): Outcome(0.5)}
    assert found.left_out == 1


def test_repeated_trials_are_one_candidate_with_their_mean() -> None:
    rows = [record("t", "a", 0.4, trial="one", seconds=1.0), record("t", "a", 0.6, trial="two", seconds=3.0)]
    assert outcomes_of(rows)["t"].outcomes == {Candidate("a"): Outcome(0.5, 2.0)}


def test_the_metric_of_the_most_candidates_counts_unless_one_is_chosen() -> None:
    rows = [record("t", "a", 0.4), record("t", "b", 0.5), record("t", "a", 1.0, metric="a_loss", direction="min")]
    assert outcomes_of(rows)["t"].metric == "accuracy"
    chosen = outcomes_of(rows, metrics={"t": "a_loss"})["t"]
    assert (chosen.metric, chosen.left_out, chosen.values) == ("a_loss", 2, {Candidate("a"): -1.0})


def test_a_loss_that_was_written_down_at_each_epoch_is_not_what_counts() -> None:
    rows = [record("t", at, 0.9, metric=metric) for at in "ab" for metric in ("train_accuracy", "val_accuracy")]
    rows += [
        record("t", at, 1.0 / epoch, metric="a_loss", direction="min", epoch=epoch)
        for at in "ab"
        for epoch in range(1, 9)
    ]
    assert outcomes_of(rows)["t"].metric == "val_accuracy"
    assert outcomes_of([one for one in rows if one.metric != "val_accuracy"])["t"].metric == "a_loss"


def test_trust_in_a_source_is_a_factor() -> None:
    rows = [record("t", "a", 0.4, source="x", weight=0.5), record("t", "b", 0.4)]
    found = outcomes_of(rows, {"x": 0.5})["t"].outcomes
    assert [one.weight for one in found.values()] == [0.25, 1.0]
