"""A space in words."""

from typing import Any

import pytest

from graft.spec.space.describe import describe_space
from graft.spec.space.space import StrategySpace


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, ""),
        ({"lr": 0.001, "resolution": 64}, "lr 0.001; resolution 64"),
        ({"freeze": {"choice": [0.0, 0.5, 1.0]}}, "freeze 0, 0.5 or 1"),
        ({"freeze": {"choice": [0.5]}}, "freeze 0.5"),
        ({"lr": {"loguniform": [1e-4, 1e-2]}}, "lr 0.0001 to 0.01 (log)"),
        ({"freeze": {"uniform": [0, 0.5]}, "batch_size": {"randint": [8, 64]}}, "freeze 0 to 0.5; batch_size 8 to 64"),
        (
            {"augment": {"choice": ["none", {"kind": "light", "magnitude": {"uniform": [0.2, 0.5]}}]}},
            "augment none or light (magnitude 0.2 to 0.5)",
        ),
    ],
    ids=str,
)
def test_every_key_in_words(raw: dict[str, Any], words: str) -> None:
    assert describe_space(StrategySpace.parse(raw)) == words
