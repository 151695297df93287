"""What a finalist scores by folds is what it would have scored by them as a trial."""

from dataclasses import replace

import pytest

from graft.data.dataset import Split
from graft.learner.cross_validation.estimate import estimate
from graft.learner.cross_validation.folds import folds_of
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.spec.components.head import RidgeHead
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.strategy import Strategy

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=8, lr=0.01)
SPEC = EvaluationSpec(folds=3, repeats=1, top=2)


@pytest.fixture
def folded(training_data: TrainingData) -> TrainingData:
    return replace(training_data, folds=folds_of(SPEC, training_data), epochs=2)


@pytest.mark.parametrize("strategy", [PROBE, Strategy(freeze=1.0, resolution=32, head=RidgeHead())])
def test_it_is_the_score_of_a_trial_that_has_folds(folded: TrainingData, strategy: Strategy) -> None:
    learner, seen = build_learner(folded, strategy, (Split.TRAIN,)), []
    learner.train(lambda result: seen.append(result.metrics), validate=True)
    found = estimate(folded, strategy, 2)
    assert {f"val/{name}": value for name, value in found.items()} == pytest.approx(
        {name: value for name, value in seen[-1].items() if name.startswith("val/")}
    )
    name = folded.metric.name
    assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_without_folds_there_is_nothing_to_score_by(training_data: TrainingData) -> None:
    with pytest.raises(ValueError, match="there are no folds, but a strategy is to be scored by them"):
        estimate(training_data, PROBE, 1)
