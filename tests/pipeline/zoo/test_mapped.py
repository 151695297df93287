from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graft.core.errors import SpecError
from graft.pipeline.resolve import resolve_job
from graft.pipeline.zoo.mapped import check_inits, inits_of, needs_own_weights, settle_sources
from graft.spec.job import Job
from graft.spec.load import parse_job

LITE0, LITE1 = "efficientnet_lite0", "timm:tf_efficientnet_lite1"


def job(init: Any, **fields: Any) -> Job:
    strategy = {"backbone": LITE1, "init": init, "resolution": 32, **fields}
    return parse_job({"version": 1, "name": "mapped", "data": {"kind": "digits"}, "strategy": strategy})


def test_place_and_digest_are_written_into_the_job_once() -> None:
    settled = resolve_job(job({"kind": "mapped", "source": LITE0}), look=False).job
    (init,) = inits_of(settled)
    assert len(init.digest) == 64
    assert resolve_job(settled, look=False).job == settled
    assert not needs_own_weights(settled)
    check_inits(settled)


def test_each_option_of_a_choice_is_settled() -> None:
    options = ["pretrained", {"kind": "mapped", "source": LITE0}, {"kind": "mapped", "source": "efficientnet_lite1"}]
    settled = resolve_job(job({"choice": options}), look=False).job
    assert [init.source for init in inits_of(settled)] == [LITE0, "efficientnet_lite1"]
    assert len({init.digest for init in inits_of(settled)}) == 2
    assert needs_own_weights(settled)


def test_a_relative_file_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"a": torch.ones(2)}, "w.safetensors")
    raw = {"strategy": {"init": {"kind": "mapped", "source": "w.safetensors"}}, "search": {}}
    assert settle_sources(raw) == []
    assert raw["strategy"]["init"]["source"] == str(tmp_path / "w.safetensors")


def test_a_job_without_is_left_alone() -> None:
    plain = job("pretrained")
    assert inits_of(plain) == ()
    assert needs_own_weights(plain)
    check_inits(plain)


@pytest.mark.parametrize(
    ("init", "told"),
    [
        ("mapped", r"strategy.init.source: is empty, but must name what the weights come from"),
        ({"kind": "mapped", "source": "efficientnet_lit0"}, "did you mean `efficientnet_lite0`"),
        ({"kind": "mapped", "source": "/no/weights.pth"}, "source /no/weights.pth does not exist"),
        (
            {"kind": "mapped", "source": "minilm_l6"},
            "takes texts, but backbone timm:tf_efficientnet_lite1 takes images",
        ),
        ({"kind": "mapped", "source": {"choice": [LITE0, LITE1]}}, "each option must be an init of its own"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_read(init: Any, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        resolve_job(job(init), look=False)


def test_a_head_of_other_weights_is_refused() -> None:
    with pytest.raises(SpecError, match="is co_tuning, which needs the head that the weights were trained with"):
        resolve_job(job({"kind": "mapped", "source": LITE0}, penalty="co_tuning"), look=False)


def test_a_source_that_fills_too_little_is_refused_before_the_run() -> None:
    settled = resolve_job(job({"kind": "mapped", "source": LITE0}, backbone="timm:test_vit"), look=False).job
    with pytest.raises(SpecError, match=r"strategy.init: source efficientnet_lite0 covers .* must cover at least 50 %"):
        check_inits(settled)


def test_a_source_that_has_changed_is_refused_before_a_run_goes_on(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from graft.models.libraries import build_backbone

    file = tmp_path / "w.safetensors"
    state = build_backbone("timm/test_efficientnet").state_dict()
    save_file({name: tensor.clone() for name, tensor in state.items()}, file)
    settled = resolve_job(
        job({"kind": "mapped", "source": str(file)}, backbone="timm:test_efficientnet"), look=False
    ).job
    check_inits(settled)
    save_file({name: torch.zeros_like(tensor) for name, tensor in state.items()}, file)
    with pytest.raises(
        SpecError, match=r"strategy.init: source .* has digest .*, but had .* when the experiment began"
    ):
        check_inits(settled)
    file.unlink()
    with pytest.raises(SpecError, match="does not exist"):
        check_inits(settled)
