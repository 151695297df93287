"""Which models an ensemble takes for unlike."""

import pytest

from graft.learner.ensemble.kinds import kind_of
from graft.spec.strategy import Strategy

WHOLE = Strategy(backbone="efficientnet_lite0", freeze=0.0)


def solved(**more: object) -> Strategy:
    return Strategy.model_validate({"backbone": "efficientnet_lite0", "freeze": 1.0, "head": {"kind": "ridge"}, **more})


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        (WHOLE, WHOLE.model_copy(update={"lr": 3e-3, "batch_size": 16}), True),
        (WHOLE, WHOLE.model_copy(update={"freeze": 0.4706}), False),
        (WHOLE.model_copy(update={"freeze": 0.67}), WHOLE.model_copy(update={"freeze": 0.75}), True),
        (WHOLE.model_copy(update={"freeze": 1.0}), solved(), False),
        (WHOLE, WHOLE.model_copy(update={"backbone": "efficientnet_lite1"}), False),
        (solved(), solved(structure={"keep": 0.7}, resolution=96, head={"kind": "logistic"}), True),
        (solved(), solved(backbone="efficientnet_lite1"), False),
    ],
)
def test_the_network_and_how_deep_it_was_trained_tell_kinds_apart(
    one: Strategy, other: Strategy, are_alike: bool
) -> None:
    assert (kind_of(one) == kind_of(other)) == are_alike
