"""Recurrent networks over the embeddings of an encoder: what they compute, and what they are made of."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.modalities.text.configurations import FAMILIES
from tests.modalities.text.tiny_backbone import save
from torch import nn

from graft.data.batch import Batch
from graft.modalities.text.backbones.recurrent import GruLibrary, LstmLibrary, RecurrentLayer
from graft.models.backbone import Masked
from graft.models.load import check_backbone, describe_backbone, load_backbone, weights_version
from graft.models.structure.stages import stages_of

CELLS = {"gru": (GruLibrary(), nn.GRU), "lstm": (LstmLibrary(), nn.LSTM)}
SIZES = {"vocab_size": 50, "width": 8, "layers": 2, "pad_token": 0, "max_tokens": 16}


def batch_of(lengths: tuple[int, ...]) -> Batch:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(1, 50, mask.shape, generator=torch.Generator().manual_seed(0)) * mask
    return Batch(input_ids=ids, attention_mask=mask.long())


@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_is_torch_s_over_both_directions(cell: str) -> None:
    """Against packed sequences, which know where each text ends."""
    torch.manual_seed(0)
    layer, whole = RecurrentLayer(cell, 8), CELLS[cell][1](8, 4, batch_first=True, bidirectional=True)
    for direction, suffix in ((layer.ahead, ""), (layer.back, "_reverse")):
        for name, value in direction.named_parameters():
            getattr(whole, f"{name}{suffix}").data = value.data
    lengths = (5, 3, 1)
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    states = torch.randn(3, 5, 8)
    given = layer(Masked(states, mask)).states
    packed, _ = whole(nn.utils.rnn.pack_padded_sequence(states, lengths, batch_first=True))
    made, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    torch.testing.assert_close(given[mask], layer.norm(states + made)[mask])


@pytest.mark.parametrize("cell", CELLS)
def test_every_cut_is_exact_and_what_fills_up_changes_nothing(cell: str) -> None:
    library, architecture = CELLS[cell][0], json.dumps(SIZES)
    torch.manual_seed(0)
    network = library.create(architecture)
    batch = batch_of((6, 2))
    with torch.inference_mode():
        expected = network(**batch)
        longer = Batch({name: nn.functional.pad(value, (0, 4)) for name, value in batch.items()})
        torch.testing.assert_close(network(**longer), expected)
        backbone = library.wrap(network)
        for cut in range(3):
            assert torch.equal(backbone.above(backbone.below(batch, cut), cut), expected)
        empty = Batch(input_ids=torch.zeros(1, 1, dtype=torch.int64), attention_mask=torch.zeros(1, 1))
        assert torch.equal(backbone(empty), torch.zeros(1, 8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "encoder")


@pytest.mark.parametrize("cell", CELLS)
def test_embeddings_and_tokenizer_are_the_encoder_s(cell: str, folder: Path) -> None:
    name, encoder = f"{cell}:hf:{folder}", f"hf:{folder}"
    assert check_backbone(name) is None
    info, of_encoder = describe_backbone(name), describe_backbone(encoder)
    assert info.input.digest == of_encoder.input.digest
    assert (info.modality, info.num_blocks, info.num_features, info.input.family) == ("text", 2, 32, cell)
    loaded, source = load_backbone(name).backbone, load_backbone(encoder).backbone
    words = source.stem.network.embeddings.word_embeddings.weight
    assert torch.equal(loaded.stem.embeddings.weight, words)
    assert sum(one.numel() for one in loaded.parameters()) == info.num_params


def test_a_name_is_the_same_network_everywhere(folder: Path) -> None:
    torch.manual_seed(1)
    first = load_backbone(f"gru:hf:{folder}").backbone.state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = load_backbone(f"gru:hf:{folder}").backbone.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_other_weights_of_the_encoder_are_another_version(folder: Path) -> None:
    before = weights_version(f"gru:hf:{folder}")
    assert before != weights_version(f"hf:{folder}")
    save(folder, vocab_size=121)
    assert weights_version(f"gru:hf:{folder}") != before


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("deberta-absolute", "deberta-v3")])
def test_every_family_lends_its_embeddings(family: str, tmp_path: Path) -> None:
    loaded = load_backbone(f"gru:hf:{save(tmp_path / 'encoder', family)}")
    assert loaded.info.num_features == (16 if family == "electra" else 32)
    with torch.inference_mode():
        assert torch.isfinite(loaded.backbone(batch_of((4, 2)))).all()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gru:minilm_l9", "did you mean `minilm_l6`"),
        ("gru:efficientnet_lite0", "efficientnet_lite0 is no text encoder with word embeddings"),
        ("gru:gru:minilm_l6", "gru:minilm_l6 is no text encoder with word embeddings"),
        ("lstm:hf:nobody/nothing", "graft zoo pull hf:nobody/nothing"),
    ],
)
def test_what_has_no_embeddings_is_said(name: str, says: str) -> None:
    assert says in str(check_backbone(name))


@pytest.mark.parametrize(
    "changes",
    [{"width": 7}, {"width": 0}, {"layers": 0}, {"layers": 10**6}, {"vocab_size": -1}, {"width": "8"}, {"x": 1}],
)
def test_a_configuration_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    assert "is none of a recurrent network" in str(GruLibrary().problem(json.dumps(SIZES | changes)))


def test_operations_are_those_of_both_directions() -> None:
    # Three gates, each of an input of 8 and a state of 4 to 4, in two directions, for 10 tokens.
    stem, *layers = stages_of(f"gru/{json.dumps(SIZES)}", 10)
    assert stem.cost.multiply_adds == 0
    assert [one.cost.multiply_adds for one in layers] == [10 * 2 * 3 * 4 * (8 + 4)] * 2
