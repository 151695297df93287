"""Penalties that need the head that a backbone was pretrained with are told before a run, where it is not there."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from graft.core.errors import SpecError
from graft.models.libraries import library_for
from graft.models.load import canonical, describe_backbone, known_depth
from graft.models.weights.source_head import source_head_problem
from graft.models.zoo import find_entry
from graft.pipeline.resolve import resolve_job
from graft.pipeline.zoo.own_heads import check_own_heads, headless_problems
from graft.spec.defaults.notes import notes_on
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import CoTuning

WITH, WITHOUT = "efficientnet_lite0", "mobilenet_v2"
NEEDED = "is co_tuning, which needs the head that a backbone was pretrained with, but"


def job(backbone: Any, penalty: Any = "co_tuning") -> Job:
    strategy = {"backbone": backbone, "penalty": penalty, "resolution": 32}
    return parse_job({"version": 1, "name": "x", "data": {"kind": "digits"}, "strategy": strategy})


@pytest.mark.parametrize("name", [WITH, "efficientnet_lite1", WITHOUT, "minilm_l3", "minilm_l6"])
def test_what_is_said_of_a_bundled_backbone_is_what_its_weights_hold(name: str) -> None:
    library, architecture = library_for(find_entry(name).architecture)
    held = any(one.startswith(("_fc.", "fc.", "classifier.", "head.")) for one in find_entry(name).weights.state_dict())
    assert describe_backbone(name).source_head is held
    assert library.describe(architecture).source_head is None, "an architecture alone says nothing of weights"


def test_a_job_without_a_backbone_that_has_one_is_refused() -> None:
    told = f"strategy.penalty: {NEEDED} {WITHOUT} comes without it; take another penalty"
    with pytest.raises(SpecError, match=told):
        resolve_job(job(WITHOUT), look=False)
    assert [one.where for one in headless_problems(job(WITHOUT))] == ["strategy.penalty"]
    with pytest.raises(SpecError, match="gru:minilm_l6, bag:minilm_l6 come without it"):
        raise SpecError([*headless_problems(job({"choice": ["gru:minilm_l6", "bag:minilm_l6"]}), lambda _: True)])
    assert describe_backbone("gru:minilm_l6").source_head is False
    assert describe_backbone("bag:minilm_l6").source_head is False


def test_others_are_trained_without_the_penalty_which_is_a_note() -> None:
    both = job({"choice": [WITH, WITHOUT]})
    resolved = resolve_job(both, look=False).job
    told = f"strategy.penalty: co_tuning has no effect on {WITHOUT}; it has one on backbones that come with the head"
    assert [one for one in notes_on(both, resolved, None, known_depth) if one.startswith(told)]
    assert canonical(Strategy(backbone=WITHOUT, penalty=CoTuning())).penalty.kind == "none"
    assert canonical(Strategy(backbone=WITH, penalty=CoTuning())).penalty.kind == "co_tuning"
    check_own_heads(resolved)


@pytest.mark.parametrize("one", [job(WITH), job(WITHOUT, "l2_sp")])
def test_nothing_is_said_where_it_is_there_or_not_needed(one: Job) -> None:
    resolved = resolve_job(one, look=False).job
    check_own_heads(resolved)
    assert notes_on(one, resolved, None, known_depth) == []


def test_weights_of_the_user_are_looked_into(tmp_path: Path) -> None:
    library, architecture = library_for("timm/test_efficientnet")
    state = library.create(architecture).state_dict()
    file = tmp_path / "w.safetensors"
    save_file(state, file)
    name = f"local:timm/test_efficientnet:{file}"
    resolved = resolve_job(job(name), look=False).job
    with pytest.raises(SpecError, match=r"strategy.penalty: backbone `local:.*` comes with no head"):
        check_own_heads(resolved)
    file.unlink()
    assert source_head_problem(name) is None, "weights that are not here are somebody else's to tell"
