"""Whatever a strategy is made of, all that it computes with is where the model is: nothing is left on the CPU.

No GPU is needed for that, and no number is looked at. On one, `pytest -m gpu` does the same with numbers.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.contracts.test_strategies import STRATEGIES, _Rows, session_of
from tests.fixtures.other_device import DEVICE, OtherDevice
from torch.nn.functional import linear

from graft.spec.strategy import Strategy
from graft.training.loop import TrainingStatus, train
from graft.training.predict import predict_outputs

# bf16 is a matter of the hardware; co-tuning must look at numbers before its first step.
PLACED = {name: one for name, one in STRATEGIES.items() if one.precision != "bf16" and one.penalty.kind != "co_tuning"}


def test_two_devices_in_one_operation_are_an_error():
    here, there = torch.zeros(2, 2), torch.zeros(2, 2, device=DEVICE)
    with OtherDevice():
        for mixed in (
            lambda: there @ here,
            lambda: linear(here, there),
            lambda: there.gather(0, here.long()),
        ):
            with pytest.raises(AssertionError, match=r"is given tensors on \['cpu', 'meta'\]"):
                mixed()
        assert (here.to(DEVICE) + there).device.type == DEVICE
        assert there[torch.tensor([0])].shape == (1, 2)


@pytest.mark.parametrize("strategy", PLACED.values(), ids=PLACED.keys())
def test_a_training_and_its_answers_stay_on_the_device(strategy: Strategy):
    with OtherDevice():
        session, resumed = (session_of(strategy, epochs=2, device=DEVICE) for _ in range(2))
        rows = _Rows(strategy, DEVICE)
        outcome = train(session, rows, lambda model: {"accuracy": accuracy(model, rows)}, augmenter=as_it_is)
        assert outcome.status is TrainingStatus.COMPLETED
        resumed.load(session.state())
        session.restore_best()
    parts = [session.model.network.state_dict(), *(session.state().part(name) for name in ("model", "best"))]
    assert [{one.device.type for one in part.values()} for part in parts] == [{DEVICE}] * 3


def accuracy(model, rows):
    outputs = predict_outputs(model, SimpleNamespace(for_evaluation=lambda: [(np.arange(36), rows.images)]))
    return outputs.mean().item()


def as_it_is(images, generator):
    return images
