"""The same loop on an accelerator: mixed precision by itself, and a resume that carries the optimiser's state over."""

import pytest
import torch

from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state, save_state
from graft.training.loop import TrainingStatus, train
from graft.training.precision import wants_bf16
from graft.training.predict import predict_outputs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.fixture
def on_gpu(batches):
    batches.images, batches.labels = batches.images.cuda(), batches.labels.cuda()
    return batches


@pytest.mark.parametrize("precision", ["fp32", "bf16", "auto"])
def test_it_learns(make_session, on_gpu, precision):
    session = make_session(Strategy(lr=0.03, penalty="l2_sp", precision=precision), epochs=12, device="cuda")
    seen = []
    outcome = train(session, on_gpu, None, seen.append)
    assert outcome.status is TrainingStatus.COMPLETED
    assert seen[-1].metrics["train/loss"] < seen[0].metrics["train/loss"] / 2
    found = predict_outputs(session.model, on_gpu, precision).argmax(dim=1)
    assert (found == on_gpu.labels).float().mean() > 0.8


def test_auto_is_bf16_where_the_hardware_has_it():
    assert wants_bf16("auto", torch.device("cuda")) == torch.cuda.is_bf16_supported(including_emulation=False)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_resumed_training_goes_the_same_way(make_session, on_gpu, tmp_path, optimizer):
    strategy = Strategy(lr=0.01, optimizer=optimizer, precision="fp32", penalty="l2_sp")
    straight, stopped, resumed = (make_session(strategy, device="cuda") for _ in range(3))
    train(straight, on_gpu, None)
    train(stopped, on_gpu, None, lambda result: result.epoch < 2)
    save_state(stopped.state(), tmp_path / "state")
    resumed.load(load_state(tmp_path / "state"))
    train(resumed, on_gpu, None)
    for name, tensor in straight.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)
