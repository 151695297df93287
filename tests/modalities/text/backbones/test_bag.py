"""Bags of words: what they count, and what they are made of."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.modalities.text.tiny_backbone import save

from graft.data.batch import Batch
from graft.learner.prefix import prefix_of
from graft.modalities.text.backbones.bag import MAX_TOKENS, WIDTH, BagLibrary
from graft.modalities.text.backbones.hashed import PAIR
from graft.models.load import canonical, check_backbone, describe_backbone, load_backbone, weights_version
from graft.spec.components.head import RidgeHead
from graft.spec.strategy import Strategy

NAME = "bag:minilm_l6"
ARCHITECTURE = json.dumps({"width": 512, "pad_token": 0})


def texts(*rows: list[int]) -> Batch:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    return Batch(input_ids=ids, attention_mask=torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows]))


def features(*rows: list[int]) -> torch.Tensor:
    library = BagLibrary()
    backbone = library.wrap(library.create(ARCHITECTURE))
    with torch.inference_mode():
        return backbone(texts(*rows))


def test_tokens_and_pairs_are_counted_less_than_in_proportion() -> None:
    (found,) = features([7, 7, 7])
    values = found[found > 0]
    wanted = torch.tensor([1 + math.log(3), PAIR * (1 + math.log(2))])
    torch.testing.assert_close(values.sort(descending=True).values, wanted / wanted.norm())


def test_the_order_of_tokens_changes_pairs_alone() -> None:
    first, second, other = features([3, 5, 9], [9, 5, 3], [30, 50, 90])
    assert 0.5 < float(first @ second) < 0.99
    assert float(first @ other) < 0.1


def test_what_fills_up_is_not_seen_and_nothing_is_a_bag_of_zeros() -> None:
    alone, (beside, _) = features([3, 5]), features([3, 5], [3, 5, 9, 11, 4])
    assert torch.equal(alone[0], beside)
    empty = Batch(input_ids=torch.zeros(1, 1, dtype=torch.int64), attention_mask=torch.zeros(1, 1))
    library = BagLibrary()
    assert torch.equal(library.wrap(library.create(ARCHITECTURE))(empty), torch.zeros(1, 512))


def test_columns_are_the_same_everywhere() -> None:
    """Bundles hold weights of columns: another hash is another network."""
    assert features([101, 2054, 102]).nonzero()[:, 1].tolist() == [15, 16, 209, 282, 418]


def test_the_tokenizer_is_the_encoder_s_and_nothing_else(tmp_path: Path) -> None:
    folder = save(tmp_path / "encoder")
    (folder / "model.safetensors").unlink()
    name = f"bag:hf:{folder}"
    assert check_backbone(name) is None
    info = describe_backbone(name)
    assert info.input.digest == describe_backbone(f"hf:{folder}").input.digest
    assert (info.num_blocks, info.num_features, info.num_params, info.input.max_tokens) == (1, WIDTH, 0, MAX_TOKENS)
    assert load_backbone(name).backbone.state_dict() == {}
    before = weights_version(name)
    with (folder / "tokenizer.json").open("a") as file:
        file.write("\n")
    assert weights_version(name) != before


@pytest.mark.parametrize(
    "changes",
    [
        {"freeze": 0.0},
        {"freeze": 0.5, "tune": "lora", "lr_decay": 0.8},
        {"init": {"kind": "reinitialise", "blocks": 2}},
        {"unfreeze": "gradual", "structure": {"deepen": 1.0, "keep": 0.7}},
        {"penalty": "l2_sp", "drop_path": 0.1},
    ],
)
def test_what_changes_weights_of_the_backbone_has_no_effect(changes: dict[str, Any]) -> None:
    plain = canonical(Strategy(backbone=NAME, freeze=1.0))
    found = canonical(Strategy.model_validate({"backbone": NAME, **changes}))
    assert found.model_copy(update={"penalty": plain.penalty}) == plain
    assert found.penalty.kind in ("none", "l2")


def test_its_features_are_not_stored() -> None:
    assert prefix_of(Strategy(backbone=NAME, freeze=1.0, head=RidgeHead())) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bag:minilm_l9", "did you mean `minilm_l6`"),
        ("bag:efficientnet_lite0", "efficientnet_lite0 is no text encoder whose tokenizer could be taken"),
        ("bag:bag:minilm_l6", "bag:minilm_l6 is no text encoder whose tokenizer could be taken"),
        ("bag:hf:nobody/nothing", "graft zoo pull hf:nobody/nothing"),
    ],
)
def test_what_has_no_tokenizer_is_said(name: str, says: str) -> None:
    assert says in str(check_backbone(name))


@pytest.mark.parametrize("changes", [{"width": 0}, {"width": 10**9}, {"pad_token": -1}, {"width": "8"}, {"x": 1}])
def test_a_configuration_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    assert "is none of a bag" in str(BagLibrary().problem(json.dumps({"width": 8, "pad_token": 0} | changes)))
