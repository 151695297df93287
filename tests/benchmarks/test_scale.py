"""The benchmark of clusters that grow and shrink, in its smallest size."""

import importlib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("scale")


def test_what_is_paid_is_at_least_what_is_used(scale: Any) -> None:
    small = scale.Setting(9, nodes=4)
    played, ideal = scale.play(small), scale.play(small, is_ideal=True)
    assert played.paid > played.work > 0
    assert played.wall > 180.0, "the first node has to start"
    assert ideal.wall < played.wall


def test_a_search_of_many_trials_pays_for_little_more_than_it_uses(scale: Any) -> None:
    found = scale.ratios([scale.Setting(100, nodes=8)])
    assert 1.0 < found["paid"] < 1.25
    assert found["wall"] < 1.15
