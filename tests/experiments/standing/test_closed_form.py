"""What a run tells of the heads it has solved."""

from graft.experiments.progress import Progress
from graft.experiments.standing.closed_form import solved_heads
from graft.journal import events
from graft.spec.metrics import MetricSpec
from graft.spec.strategy import Strategy

SOLVED = Strategy(head="ridge", freeze=1.0, structure={"keep": 0.5}, resolution=96)


def test_those_that_have_a_score_are_told_best_first() -> None:
    progress = Progress(MetricSpec("accuracy", "max"), 8)
    for name, strategy, score in (
        ("t01", Strategy(head="logistic", freeze=1.0, resolution=64), 0.7),
        ("t02", SOLVED, 0.8),
        ("t03", Strategy(resolution=64), 0.9),
        ("t04", SOLVED, None),
    ):
        progress.apply(events.TrialStarted(name, strategy.model_dump(mode="json"), name, time=1.0))
        if score is not None:
            progress.apply(events.TrialReported(name, 1, {"val/accuracy": score}, 0.5, time=2.0))
    first, second = solved_heads(progress, "image")
    seconds = first.pop("seconds")
    assert isinstance(seconds, float)
    assert first == {
        "backbone": "efficientnet_lite0",
        "depth": 0.5,
        "resolution": 96,
        "head": "ridge",
        "validation": 0.8,
    }
    assert (second["head"], second["depth"], second["resolution"], second["validation"]) == ("logistic", 1.0, 64, 0.7)
