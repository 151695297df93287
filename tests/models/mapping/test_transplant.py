import json
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from graft.core.errors import ArtifactError
from graft.models.backbone import Backbone
from graft.models.mapping.report import Transplanted
from graft.models.mapping.transplant import require_coverage, transplant
from graft.models.mapping.weights import Weights, named_backbone, unit_of, weights_of


class Residual(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.conv2, self.bn2 = nn.Conv2d(hidden, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x):
        return (x + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))).relu()


def network(width=4, hidden=6, depth=2, seed=0, channels=3):
    torch.manual_seed(seed)
    stem = nn.Sequential(OrderedDict(conv=nn.Conv2d(channels, width, 3), bn=nn.BatchNorm2d(width), act=nn.ReLU()))
    blocks = [Residual(width, hidden) for _ in range(depth)]
    backbone = Backbone(stem, blocks, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), width)
    for tensor in backbone.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1 if tensor.ndim == 1 else torch.randn_like(tensor) * 0.3)
    return backbone.eval()


def brought(source, target):
    return transplant(weights_of(source), target, {})


def same_function(source, target, inputs=(2, 3, 8, 8)):
    x = torch.randn(inputs)
    with torch.inference_mode():
        before, after = source(x), target(x)
    copied = torch.arange(after.shape[1]) % before.shape[1]
    torch.testing.assert_close(after, before[:, copied], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "larger",
    [{}, {"width": 9}, {"hidden": 13}, {"depth": 5}, {"width": 8, "hidden": 7, "depth": 3}],
    ids=["equal", "wider", "wider inside", "deeper", "all"],
)
def test_a_larger_network_computes_what_the_smaller_did(larger):
    source, target = network(), network(seed=1, **larger)
    done = brought(source, target)
    same_function(source, target)
    assert done.coverage == 100
    assert not done.missing
    assert not done.unexpected


def test_blocks_that_the_source_has_more_of_are_told():
    done = brought(network(depth=3), network(depth=2, seed=1))
    assert done.coverage == 100
    assert {name.split(".")[1] for name in done.unexpected} == {"2"}


@settings(max_examples=25)
@given(
    mine=st.tuples(st.integers(2, 6), st.integers(2, 6), st.integers(1, 3)),
    other=st.tuples(st.integers(2, 6), st.integers(2, 6), st.integers(1, 3)),
    dropped=st.integers(0, 10),
)
def test_every_name_is_in_exactly_one_list(mine, other, dropped):
    source, target = network(*mine), network(*other, seed=1)
    state = dict(list(source.state_dict().items())[dropped:])
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    done = transplant(Weights(state), target, {})
    lists = [*done.matched, *done.reshaped, *done.missing]
    assert sorted(lists) == sorted(before)
    assert set(done.unexpected) <= state.keys()
    assert done.how.keys() == set(done.reshaped)
    assert all(torch.equal(target.state_dict()[name], before[name]) for name in done.missing)
    assert 0 <= done.coverage <= 100


def renamed(state):
    """As somebody else would have written it: flat, other names, the same order."""
    names = {"conv": "0", "bn": "1", "conv1": "expand", "bn1": "norm_a", "conv2": "project", "bn2": "norm_b"}

    def one(name):
        *path, layer, leaf = name.split(".")
        return ".".join([*("body" if part == "blocks" else part for part in path), names[layer], leaf])

    return {one(name): tensor for name, tensor in state.items()}


@pytest.mark.parametrize("depth", [2, 4])
def test_other_names_are_found_by_structure_and_order(depth):
    source, target = network(), network(depth=depth, seed=1)
    done = transplant(Weights(renamed(source.state_dict())), target, {})
    assert done.rule == "structure and order"
    assert done.coverage == 100
    same_function(source, target)


def test_tensors_of_another_order_within_a_block_are_found_by_shape():
    source, target = network(), network(seed=1)
    state = renamed(source.state_dict())
    turned = {}
    for unit in ("stem", "body.0", "body.1"):
        names = [name for name in state if name.startswith(f"{unit}.")]
        turned |= {name: state[name] for name in sorted(names, key=lambda one: "norm" not in one)}
    done = transplant(Weights(turned), target, {})
    assert done.coverage == 100
    same_function(source, target)


def test_a_grey_source_fills_a_network_for_colours():
    source, target = network(channels=1), network(seed=1)
    done = brought(source, target)
    grey = torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(target(grey.expand(-1, 3, -1, -1)), source(grey), rtol=1e-5, atol=1e-5)
    assert "stem.conv.weight" in done.reshaped


def test_what_has_grown_beside_missing_layers_is_left_out():
    source, target = network(width=4), network(width=8, seed=1)
    state = {name: tensor for name, tensor in source.state_dict().items() if name != "blocks.1.conv2.weight"}
    done = transplant(Weights(state), target, {})
    assert {name for name in done.missing if name.startswith("blocks.1")} >= {
        "blocks.1.conv1.weight",
        "blocks.1.conv2.weight",
        "blocks.1.bn2.weight",
    }


def test_the_same_twice():
    first, second = network(width=9, seed=1), network(width=9, seed=1)
    brought(network(), first)
    brought(network(), second)
    assert all(torch.equal(one, second.state_dict()[name]) for name, one in first.state_dict().items())


def test_low_coverage_is_refused_with_both_numbers():
    done = Transplanted("names", ("a",), (), ("b",), (), 12.34)
    told = r"a.pth covers 12.3 % of the parameters of b, but must cover at least 50 %; name another"
    with pytest.raises(ArtifactError, match=told):
        require_coverage(done, 0.5, ("a.pth", "b"), "name another")
    require_coverage(done, 0.12, ("a.pth", "b"), "name another")


def test_the_report_reads_as_one_line_and_as_json():
    done = Transplanted("names", ("a",), ("b",), ("c",), ("d", "e", "f", "g", "h"), 87.654, {"b": "grown"})
    assert str(done) == (
        "by names: 87.7 % of the parameters; 1 matched, 1 reshaped (b), 1 missing (c), "
        "5 unexpected (d, e, f, g, … 1 more)"
    )
    assert json.loads(json.dumps(done.to_json()))["coverage"] == 87.65


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("layer1.0.conv1.weight", "layer1.0"),
        ("blocks.3.1.bn2.weight", "blocks.3.1"),
        ("stages.1.blocks.2.mlp.fc1.weight", "stages.1.blocks.2"),
        ("encoder.layer.5.output.dense.bias", "encoder.layer.5"),
        ("features.3.conv.0.0.weight", "features.3"),
        ("conv_stem.weight", ""),
    ],
)
def test_the_unit_of_a_name(name, unit):
    assert unit_of(name) == unit


TINY = {
    "model_type": "bert",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 50,
    "max_position_embeddings": 32,
    "hidden_dropout_prob": 0.0,
}


def encoder(**changes):
    backbone, names = named_backbone(f"hf/{json.dumps({**TINY, **changes})}")
    torch.manual_seed(len(changes))
    for parameter in backbone.parameters():
        parameter.data = torch.randn_like(parameter) * 0.2 + (parameter.ndim == 1)
    return backbone.eval(), names


def texts():
    ids = torch.randint(1, 50, (3, 9))
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[1, 5:] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


@pytest.mark.parametrize(
    "larger",
    [
        {"hidden_size": 32, "num_attention_heads": 4},
        {"hidden_size": 32},
        {"intermediate_size": 40},
        {"max_position_embeddings": 64},
    ],
    ids=["more heads", "larger heads", "wider inside", "longer"],
)
def test_a_larger_encoder_computes_what_the_smaller_did(larger):
    (source, theirs), (target, names) = encoder(), encoder(**larger)
    done = transplant(weights_of(source, theirs), target, names)
    assert done.coverage == 100
    assert done.notes == ()
    batch = texts()
    with torch.inference_mode():
        before, after = source(batch), target(batch)
    torch.testing.assert_close(after, before.repeat(1, after.shape[1] // 16), rtol=1e-5, atol=1e-5)


def test_where_a_larger_encoder_computes_something_else_is_told():
    (source, theirs), (target, names) = encoder(), encoder(num_hidden_layers=3)
    done = transplant(weights_of(source, theirs), target, names)
    assert "block 2 is new and has a norm behind its sum" in done.notes[0]
    target, names = encoder(hidden_size=24, num_attention_heads=3)
    done = transplant(weights_of(source, theirs), target, names)
    assert any("LayerNorm of 24 is not the same over copies of 16" in note for note in done.notes)
    target, names = encoder(hidden_size=32, num_attention_heads=8)
    done = transplant(weights_of(source, theirs), target, names)
    assert "blocks.0.attention: heads of 4 instead of 8 score otherwise" in done.notes


@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("kind", ["distilbert", "mpnet", "roberta", "electra"])
def test_encoders_of_other_families_grow_too(kind, heads):
    fields = {"model_type": kind, "vocab_size": 50, "max_position_embeddings": 32, "pad_token_id": 1}
    if kind == "distilbert":
        sizes = [{"dim": 16 * m, "hidden_dim": 24, "n_heads": heads if m > 1 else 2, "n_layers": 2} for m in (1, 2)]
    else:
        sizes = [
            {
                "hidden_size": 16 * m,
                "embedding_size": 16 * m,
                "intermediate_size": 24,
                "num_attention_heads": heads if m > 1 else 2,
                "num_hidden_layers": 2,
            }
            for m in (1, 2)
        ]
    found = []
    for size in sizes:
        backbone, names = named_backbone(f"hf/{json.dumps({**fields, **size})}")
        torch.manual_seed(0)
        for parameter in backbone.parameters():
            parameter.data = torch.randn_like(parameter) * 0.2 + (parameter.ndim == 1)
        found.append((backbone.eval(), names))
    (source, theirs), (target, names) = found
    done = transplant(weights_of(source, theirs), target, names)
    assert (done.coverage, done.notes) == (100, ())
    batch = {name: one + 2 if name == "input_ids" else one for name, one in texts().items()}
    batch["input_ids"] = batch["input_ids"].clamp(max=49)
    with torch.inference_mode():
        before, after = source(batch), target(batch)
    torch.testing.assert_close(after, before.repeat(1, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [2, 4])
def test_a_wider_vision_transformer_computes_the_same(heads):
    import timm

    from graft.modalities.image.backbones.timm import TimmLibrary

    small, large = (
        TimmLibrary().wrap(timm.create_model("test_vit", num_classes=0, embed_dim=width, num_heads=count), 32).eval()
        for width, count in ((32, 2), (64, heads))
    )
    torch.manual_seed(0)
    for parameter in small.parameters():
        parameter.data = torch.randn_like(parameter) * 0.2 + (parameter.ndim == 1)
    done = transplant(weights_of(small), large, {})
    assert (done.coverage, done.notes) == (100, ())
    same_function(small, large, (2, 3, 32, 32))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("timm/resnet18", "torchvision/resnet18"),
        ("timm/test_efficientnet", "timm/test_efficientnet"),
        ("timm/test_vit", "timm/test_vit"),
    ],
)
def test_networks_of_libraries(source, target):
    torch.manual_seed(0)
    one, theirs = named_backbone(source, 32)
    other, names = named_backbone(target, 64 if "vit" not in target else 32)
    done = transplant(weights_of(one.eval(), theirs), other.eval(), names)
    assert done.coverage == 100
    same_function(one, other, (1, 3, 32, 32))


def test_a_library_calls_tensors_by_its_own_names():
    _, names = named_backbone("timm/test_vit", 48)
    assert names["stem.embed.pos_embed"] == "pos_embed"
    assert names["blocks.0.attn.qkv.weight"] == "blocks.0.attn.qkv.weight"
    _, names = named_backbone("timm/resnet18")
    assert names["blocks.2.conv1.weight"] == "layer2.0.conv1.weight"


def test_positions_that_stay_random_are_noted_however_much_is_covered():
    source, names = named_backbone("timm/test_vit")
    target, _ = named_backbone("timm/test_vit")
    state = {names.get(name, name): tensor for name, tensor in source.state_dict().items()}
    own = target.stem.embed.pos_embed.clone()
    done = transplant(Weights({**state, "pos_embed": torch.ones(1, 33, 64)}), target, names)
    assert done.coverage > 97
    assert done.missing == ("stem.embed.pos_embed",)
    told = "keeps its own random values: it is 1×101×64, but the source has 1×33×64, which is no square of places"
    assert done.notes == (f"stem.embed.pos_embed {told}",)
    assert torch.equal(target.stem.embed.pos_embed, own)
    assert transplant(Weights(state), target, names).notes == ()
