"""An ensemble is made of the best, but heads that were solved leave room for trainings."""

from graft.experiments.progress import Progress
from graft.experiments.standing.candidates import MOST_CANDIDATES, MOST_SOLVED, candidates_of
from graft.journal import events
from graft.spec.components.head import RidgeHead
from graft.spec.metrics import MetricSpec
from graft.spec.strategy import Strategy


def progress_of(solved: int, trained: int, without: int = 0) -> Progress:
    """The solved ones first, each better than those after it."""
    progress = Progress(MetricSpec("accuracy", "max", is_share=True), 1)
    for number in range(solved + trained + without):
        name = f"t{number:02d}"
        strategy = Strategy(head=RidgeHead(), freeze=1.0) if number < solved else Strategy()
        progress.apply(events.TrialStarted(name, strategy.model_dump(mode="json"), name, time=1.0))
        if number < solved + trained:
            progress.apply(events.TrialReported(name, 1, {"val/accuracy": 1 - number / 100}, 1.0, time=2.0))
    return progress


def test_the_winner_comes_first_whatever_its_score() -> None:
    progress = progress_of(0, 4)
    found = candidates_of(progress, progress.trials["t02"])
    assert [one.trial for one in found] == ["t02", "t00", "t01", "t03"]


def test_heads_that_were_solved_leave_room_for_trainings() -> None:
    progress = progress_of(12, 12)
    found = [one.trial for one in candidates_of(progress, progress.trials["t00"])]
    assert len(found) == MOST_CANDIDATES
    assert found == [f"t{number:02d}" for number in (*range(MOST_SOLVED), *range(12, 18))]


def test_the_best_of_every_kind_is_one_whatever_its_score() -> None:
    progress = progress_of(12, 12)
    bag = Strategy(backbone="bag:minilm_l6", head=RidgeHead(), freeze=1.0)
    for name, accuracy in (("t90", 0.02), ("t91", 0.01)):
        progress.apply(events.TrialStarted(name, bag.model_dump(mode="json"), name, time=1.0))
        progress.apply(events.TrialReported(name, 1, {"val/accuracy": accuracy}, 1.0, time=2.0))
    found = [one.trial for one in candidates_of(progress, progress.trials["t00"])]
    assert found == [f"t{number:02d}" for number in (*range(MOST_SOLVED), *range(12, 17))] + ["t90"]


def test_trials_without_a_score_are_none() -> None:
    progress = progress_of(1, 1, without=3)
    assert [one.trial for one in candidates_of(progress, progress.trials["t00"])] == ["t00", "t01"]


def test_a_training_from_another_depth_is_one_whatever_its_score() -> None:
    progress = progress_of(0, MOST_CANDIDATES + 2)
    half = Strategy(freeze=0.5)
    progress.apply(events.TrialStarted("t90", half.model_dump(mode="json"), "t90", time=1.0))
    progress.apply(events.TrialReported("t90", 1, {"val/accuracy": 0.01}, 1.0, time=2.0))
    found = [one.trial for one in candidates_of(progress, progress.trials["t00"])]
    assert found == [*(f"t{number:02d}" for number in range(MOST_CANDIDATES - 1)), "t90"]
