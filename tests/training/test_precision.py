import pytest
import torch

from graft.core.errors import SpecError
from graft.training.precision import autocast, wants_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize(("precision", "expected"), [("auto", False), ("fp32", False), ("bf16", True)])
def test_on_a_cpu_bf16_has_to_be_asked_for(precision, expected):
    assert wants_bf16(precision, CPU) is expected


@pytest.mark.parametrize(("precision", "dtype"), [("auto", torch.float32), ("bf16", torch.bfloat16)])
def test_the_forward_pass_runs_in_it(precision, dtype):
    layer = torch.nn.Linear(2, 2)
    with autocast(precision, CPU):
        assert layer(torch.zeros(1, 2)).dtype == dtype


def test_a_gpu_without_bf16_is_used_in_fp32_unless_bf16_was_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    device = torch.device("cuda")
    assert wants_bf16("auto", device) is False
    with pytest.raises(SpecError, match=r"strategy.precision: is bf16, but cuda device cuda has no bf16"):
        wants_bf16("bf16", device)


def test_a_gpu_with_bf16_uses_it_on_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert wants_bf16("auto", torch.device("cuda")) is True
    assert wants_bf16("fp32", torch.device("cuda")) is False
