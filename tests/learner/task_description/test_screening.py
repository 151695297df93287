"""Scores of backbones on the samples of a search."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graft.core.errors import ArtifactError
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.task_description import screening
from graft.learner.task_description.screening import look_at
from graft.learner.training_data import TrainingData
from graft.search.screening.allowance import Allowance
from graft.search.screening.report import Candidate
from graft.spec.strategy import Strategy

ALLOWED = Allowance(500, None, "")
GOOD, BAD, LOST = Candidate("good", 1.0, 32), Candidate("bad", 0.7, 32), Candidate("lost", 1.0, 32)


@pytest.fixture
def data(training_data: TrainingData, tmp_path: Path) -> TrainingData:
    """Twenty small images of two kinds, with an empty feature store."""
    return replace(training_data, feature_cache=FeatureCache(FeatureStore(tmp_path / "features"), "f", frozenset()))


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of three backbones: those of the first tell the classes, the second's do not, the third is not there."""

    def features(data: TrainingData, strategy: Strategy, rows: np.ndarray, watch: Callable[..., object]) -> np.ndarray:
        if strategy.backbone == LOST.backbone:
            raise ArtifactError("its weights are missing")
        noise = np.random.default_rng(0).standard_normal((len(rows), 4))
        if strategy.backbone == GOOD.backbone:
            noise[:, 0] += 9 * np.asarray(data.arrays.targets)[rows]
        return noise

    monkeypatch.setattr(screening, "features_of_rows", features)


def test_a_real_backbone_is_scored_at_both_depths(data: TrainingData) -> None:
    whole, part = Candidate("efficientnet_lite0", 1.0, 32), Candidate("efficientnet_lite0", 0.7, 32)
    look = look_at(data, (whole, part), ALLOWED, clock=lambda: 0.0)
    assert {one.candidate for one in look.screened} == {whole, part}
    assert set(look.screened[0].scores) == {"logme", "hscore", "ridge", "centroid"}
    assert look.screened[0].scores != look.screened[1].scores


@pytest.mark.usefixtures("made_up")
def test_what_tells_the_classes_comes_first_and_what_is_missing_is_told(data: TrainingData) -> None:
    look = look_at(data, (LOST, BAD, GOOD), ALLOWED, clock=lambda: 0.0)
    assert [one.candidate for one in look.screened] == [GOOD, BAD]
    assert look.left_out == {LOST: "its weights are missing"}


@pytest.mark.usefixtures("made_up")
def test_what_would_not_be_done_in_time_is_not_begun(data: TrainingData) -> None:
    seconds = itertools.count()
    look = look_at(data, (GOOD, BAD), replace(ALLOWED, seconds=5.0), clock=lambda: float(next(seconds)))
    assert [one.candidate for one in look.screened] == [GOOD]
    assert look.left_out == {BAD: "there was no time for it"}


def test_what_takes_too_long_is_given_up_between_batches(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graft.learner.task_description.rows._BATCH", 4)
    seconds = itertools.count()
    candidate = Candidate("efficientnet_lite0", 1.0, 32)
    look = look_at(data, (candidate,), replace(ALLOWED, seconds=2.0), clock=lambda: float(next(seconds)))
    assert look.left_out == {candidate: "its features took too long"}
