from typing import Any

import pytest

from graft.tracking.projection.trial_runs import family


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"freeze": 1.0}, "linear probe"),
        ({"freeze": 0.0}, "full fine-tuning"),
        ({"freeze": 0.47, "penalty": {"kind": "none"}}, "partly frozen"),
        ({"freeze": 0.5, "penalty": {"kind": "l2_sp", "strength": 0.1}}, "partly frozen + l2_sp"),
        ({"freeze": 0, "init": {"kind": "reinitialise", "blocks": 2}, "penalty": "l2"},
         "full fine-tuning + reinitialise + l2"),
        ({"init": {"kind": "pretrained"}}, "full fine-tuning"),
        ({}, "full fine-tuning"),
    ],
)  # fmt: skip
def test_family(strategy: dict[str, Any], expected: str) -> None:
    assert family(strategy) == expected
