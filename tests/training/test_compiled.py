"""Compiled code is used for one size of batch, and gives what the network itself gives."""

import shutil
from collections.abc import Mapping

import pytest
import torch
from torch import nn

from graft.core.errors import ResourceError
from graft.data.batch import Batch
from graft.models.backbone import Backbone
from graft.models.network import Network
from graft.spec.strategy import Strategy
from graft.training.compiled import Forward, compiled
from graft.training.loop import train

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that go through compiled code; nothing is compiled."""
    sizes: list[int] = []

    def compile_nothing(network: nn.Module, dynamic: bool) -> Forward:
        assert not dynamic

        def quick(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
            sizes.append(len(inputs["pixels"]))
            found: torch.Tensor = network(inputs)
            return found

        return quick

    monkeypatch.setattr(torch, "compile", compile_nothing)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return sizes


def test_only_batches_of_the_first_size_are_compiled(calls):
    forward = compiled(Network(Backbone(nn.Identity(), [], nn.Identity(), 2, "pixels"), nn.Linear(2, 1)))
    for size in (4, 4, 3, 4, 1):
        assert forward(Batch({"pixels": torch.zeros(size, 2)})).shape == (size, 1)
    assert calls == [4, 4, 4]


def test_without_a_compiler_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ResourceError, match=r"there is no .*\+\+ on this node; install one, or leave training.compile"):
        compiled(nn.Linear(2, 1))


def test_a_plan_decides(make_session, batches, calls):
    train(make_session(Strategy(lr=0.01), epochs=1), batches, None)
    assert calls == []
    train(make_session(Strategy(lr=0.01), epochs=1, compile=True), batches, None)
    assert calls == [16, 16, 16]


@pytest.mark.slow
@needs_compiler
def test_compiled_training_has_the_same_losses(make_session, batches):
    told: dict[bool, list[float]] = {}
    for is_compiled in (False, True):
        session = make_session(Strategy(lr=0.01, freeze=0.5, penalty="l2_sp"), epochs=3, compile=is_compiled)
        for module in session.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # compiled code draws other numbers
        seen: list[float] = []
        train(session, batches, None, lambda result, seen=seen: seen.append(result.metrics["train/loss"]))
        told[is_compiled] = seen
    assert told[True] == pytest.approx(told[False], abs=1e-4)
    assert told[True][-1] < told[True][0]
