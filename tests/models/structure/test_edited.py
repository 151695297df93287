"""Backbones with fewer blocks and other poolings: what is left computes what it computed in the whole network."""

import copy

import pytest
import torch

from graft.core.errors import SpecError
from graft.data.batch import Batch
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone, Hidden, Masked
from graft.models.load import LoadedBackbone, describe_backbone, load_backbone
from graft.models.structure.edited import check_deepen, check_widen, depth_of, edit_of, edited
from graft.models.structure.pooling import Pool
from graft.spec.components.skip import Depth
from graft.spec.components.structure import Structure

LITE0, MINILM = "efficientnet_lite0", "minilm_l6"
NAMES = (LITE0, MINILM, "timm:vit_tiny_patch16_224", "timm:mobilenetv3_small_100", "torchvision:mobilenet_v2")
SIZES = {"image": 64, "text": 12}


@pytest.fixture(scope="module", params=NAMES)
def whole(request: pytest.FixtureRequest) -> tuple[Backbone, Batch, str]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loaded = load_backbone(request.param, SIZES["text" if request.param == MINILM else "image"], pretrained=False)
        modality, size = build_modality(loaded.info.modality), SIZES[loaded.info.modality]
        batch = modality.example_batch(loaded.info, size, 2)
        if "pixels" in batch:
            batch["pixels"] = torch.randn(2, 3, size, size)
    return loaded.backbone, batch, loaded.info.architecture


def structure(**fields: object) -> Structure:
    return Structure.model_validate(fields)


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.8])
def test_what_is_kept_computes_as_before_and_the_features_have_the_promised_length(
    whole: tuple[Backbone, Batch, str], keep: float
) -> None:
    backbone, batch, architecture = whole
    cut = edited(backbone, structure(keep=keep), architecture)
    number = len(cut.blocks)
    assert number == max(1, round(keep * len(backbone.blocks)))
    with torch.inference_mode():
        features, below = cut(batch), backbone.below(batch, number)
        assert features.shape == (2, cut.num_features)
        pool = backbone.pool_between or backbone.pool
        torch.testing.assert_close(features, pool(below), rtol=0, atol=0)
        if number > 1:
            torch.testing.assert_close(cut.above(cut.below(batch, 1), 1), features, rtol=0, atol=0)


def test_one_pass_gives_the_features_of_networks_that_end_at_each_depth(whole: tuple[Backbone, Batch, str]) -> None:
    backbone, batch, architecture = whole
    shares = (0.3, 0.6, 1.0)
    cuts = [max(1, round(share * len(backbone.blocks))) for share in shares]
    with torch.inference_mode():
        found = backbone.pooled_between(backbone.begin(batch), 0, cuts)
        later = backbone.pooled_between(backbone.below(batch, cuts[0]), cuts[0], cuts)
        for share, features, again in zip(shares, found, later, strict=True):
            alone = edited(backbone, structure(keep=share), architecture)(batch)
            torch.testing.assert_close(features, alone, rtol=0, atol=0)
            torch.testing.assert_close(again, alone, rtol=0, atol=0)


@pytest.mark.parametrize("pool", ["avg", "max", "avg_max", "gem"])
def test_a_cut_backbone_is_pooled_in_every_way(whole: tuple[Backbone, Batch, str], pool: str) -> None:
    backbone, batch, architecture = whole
    cut = edited(backbone, structure(keep=0.5, pool=pool), architecture)
    own = edited(backbone, structure(keep=0.5), architecture)
    with torch.inference_mode():
        features = cut(batch)
    assert features.shape == (2, cut.num_features)
    assert cut.num_features == own.num_features * (2 if pool == "avg_max" else 1)
    assert torch.isfinite(features).all()


def test_blocks_that_keep_the_shape_can_be_left_out_and_no_others(whole: tuple[Backbone, Batch, str]) -> None:
    backbone, batch, architecture = whole
    depth = depth_of(architecture)
    assert depth.num_blocks == len(backbone.blocks)
    assert depth.residual
    without = edited(backbone, structure(skip={"kind": "spread", "share": 1.0}), architecture)
    left = structure(skip={"kind": "spread", "share": 1.0}).blocks(depth)
    assert [id(block) for block in without.blocks] == [id(backbone.blocks[place]) for place in left]
    assert set(range(depth.num_blocks)) - set(left) <= set(depth.residual)
    with torch.inference_mode():
        hidden = backbone.begin(batch)
        for place in left:
            hidden = backbone.through(hidden, [backbone.blocks[place]])
        torch.testing.assert_close(without(batch), backbone.pool(hidden), rtol=0, atol=0)


def test_no_edit_is_the_backbone_itself_and_an_edit_leaves_it_alone(whole: tuple[Backbone, Batch, str]) -> None:
    backbone, _, architecture = whole
    assert edited(backbone, Structure(), architecture) is backbone
    before = list(backbone.state_dict()), backbone.num_features, backbone.pool
    cut = edited(backbone, structure(keep=0.5, pool="max"), architecture)
    assert (list(backbone.state_dict()), backbone.num_features, backbone.pool) == before
    assert set(cut.state_dict()) < set(before[0])


def test_the_residual_blocks_of_lite0() -> None:
    """By MobileNet's rule: those of one stage that do not begin it."""
    assert depth_of("timm/tf_efficientnet_lite0") == Depth(17, (2, 4, 6, 7, 9, 10, 12, 13, 14))


def test_another_pooling_of_a_network_that_pools_in_its_last_block_is_refused() -> None:
    loaded = load_backbone("timm:vit_tiny_patch16_224", 64, pretrained=False)
    with pytest.raises(SpecError, match=r"pool: is gem, but the last block of timm/vit_tiny_patch16_224 pools by it"):
        edited(loaded.backbone, structure(pool="gem"), loaded.info.architecture)


@pytest.mark.parametrize("name", [LITE0, "timm:vit_tiny_patch16_224", "timm:resnet18", "torchvision:mobilenet_v2"])
def test_a_deeper_backbone_computes_what_it_did(name: str) -> None:
    """Chen, Goodfellow, Shlens, ICLR 2016: Net2DeeperNet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loaded = load_backbone(name, 64, pretrained=False)
        batch = {"pixels": torch.randn(2, 3, 64, 64)}
    deeper = edited(loaded.backbone, structure(deepen=1.0), loaded.info.architecture)
    residual = depth_of(loaded.info.architecture).residual
    assert len(deeper.blocks) == len(loaded.backbone.blocks) + len(residual or ())
    with torch.inference_mode():
        torch.testing.assert_close(deeper(batch), loaded.backbone(batch), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_deeper_without_a_change_is_refused() -> None:
    with pytest.raises(SpecError, match="a norm follows the sum"):
        check_deepen(describe_backbone(MINILM).architecture)
    check_deepen("timm/tf_efficientnet_lite0")


class TestPool:
    MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    STATES = Masked(torch.tensor([[[1.0], [3.0], [torch.inf]]]), torch.tensor([[True, True, False]]))

    @pytest.mark.parametrize(
        ("kind", "maps", "states"),
        [
            ("avg", [2.5], [2.0]),
            ("max", [4.0], [3.0]),
            ("avg_max", [2.5, 4.0], [2.0, 3.0]),
            ("gem", [25 ** (1 / 3)], [14 ** (1 / 3)]),
        ],
    )
    def test_values(self, kind: str, maps: list[float], states: list[float]) -> None:
        pool = Pool(kind)  # type: ignore[arg-type]
        assert pool(self.MAPS).tolist()[0] == pytest.approx(maps)
        assert pool(self.STATES).tolist()[0] == pytest.approx(states)
        last: Hidden = self.MAPS.permute(0, 2, 3, 1)
        assert Pool(kind, width_last=True)(last).tolist()[0] == pytest.approx(maps)  # type: ignore[arg-type]

    @pytest.mark.parametrize("kind", ["avg", "max", "avg_max", "gem"])
    def test_a_text_without_tokens_is_zero_and_no_gradient_is_infinite(self, kind: str) -> None:
        states = torch.zeros(1, 2, 3, requires_grad=True)
        pooled = Pool(kind)(Masked(states, torch.zeros(1, 2, dtype=torch.bool)))  # type: ignore[arg-type]
        pooled.sum().backward()
        assert pooled.abs().max() <= 0.011
        assert torch.isfinite(states.grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        LITE0,
        MINILM,
        "timm:resnet18",
        "timm:resnet50",
        "timm:efficientnet_b0",
        "timm:convnext_atto",
        "torchvision:mobilenet_v2",
        "timm:vit_tiny_patch16_224",
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_a_wider_backbone_computes_what_it_did(name: str, training: bool) -> None:
    """Chen, Goodfellow, Shlens, ICLR 2016: Net2WiderNet."""
    loaded, batch = _with_values(name)
    loaded.backbone.train(training)
    wider = edited(loaded.backbone, structure(widen=1.5), loaded.info.architecture)
    wanted = copy.deepcopy(loaded.backbone)(batch)
    found = wider(batch)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8 * float(wanted.abs().max()))
    assert {one for one, _ in wider.named_parameters()} == {one for one, _ in loaded.backbone.named_parameters()}
    assert sum(map(torch.Tensor.numel, wider.parameters())) > sum(map(torch.Tensor.numel, loaded.backbone.parameters()))
    found.square().sum().backward()


def _with_values(name: str) -> tuple[LoadedBackbone, Batch]:
    """Random weights of 64 bits, of norms and layer scales too: some give 0 at their start, and hide the rest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loaded = load_backbone(name, 12 if name == MINILM else 32, pretrained=False)
        for parameter in loaded.backbone.parameters():
            if parameter.ndim == 1:
                parameter.data.add_(0.3 * torch.rand_like(parameter))
        for module in loaded.backbone.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        loaded.backbone.double()
        batch = build_modality(loaded.info.modality).example_batch(loaded.info, 12, 4)
        pixels = torch.randn(4, 3, 32, 32, dtype=torch.float64)
        return loaded, {"pixels": pixels} if "pixels" in batch else batch


def test_copies_of_a_unit_learn_apart() -> None:
    loaded, batch = _with_values("timm:vit_tiny_patch16_224")
    wider = edited(loaded.backbone, structure(widen=2), loaded.info.architecture)
    wider(batch).square().sum().backward()
    gradient = wider.blocks[0].get_submodule("mlp.fc1").weight.grad
    own, copied = gradient.chunk(2)
    assert torch.linalg.norm(own - copied) > 0.05 * torch.linalg.norm(own)


def test_what_is_not_known_inside_cannot_be_wider() -> None:
    with pytest.raises(SpecError, match=r"structure.widen: is above 1, but no block of timm/regnetx_002 has a branch"):
        check_widen("timm/regnetx_002")


def test_a_wider_backbone_costs_more_and_is_the_same_every_time() -> None:
    edit = edit_of("timm/tf_efficientnet_lite0", structure(widen=2), 64)
    assert 1.5 < edit.after.params / edit.before.params < 2
    loaded, _ = _with_values(LITE0)
    both = [edited(loaded.backbone, structure(widen=2), loaded.info.architecture).state_dict() for _ in range(2)]
    assert all(torch.equal(tensor, both[1][name]) for name, tensor in both[0].items())
    assert edit.after.params == sum(
        p.numel() for p in edited(loaded.backbone, structure(widen=2), "timm/tf_efficientnet_lite0").parameters()
    )
