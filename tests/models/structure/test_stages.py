"""Operations and parameters of the parts of a network, against what papers and the networks themselves say."""

import pytest
import torch

from graft.models.libraries import build_backbone, count_params
from graft.models.load import describe_backbone
from graft.models.structure.stages import stages_of


@pytest.mark.parametrize(
    ("name", "size", "million"),
    [
        ("efficientnet_lite0", 224, 407 - 1.3),  # the EfficientNet-Lite repository counts the classifier too
        ("mobilenet_v2", 224, 300),  # Sandler et al., CVPR 2018
        ("timm:resnet18", 224, 1814),
        ("timm:vit_tiny_patch16_224", 224, 1260),
    ],
)
def test_operations_are_those_that_papers_tell(name: str, size: int, million: float) -> None:
    stages = stages_of(describe_backbone(name).architecture, size)
    assert sum(stage.cost.multiply_adds for stage in stages) / 1e6 == pytest.approx(million, rel=0.06)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "minilm_l6", "timm:vit_tiny_patch16_224"])
def test_parts_have_the_parameters_of_the_whole(name: str) -> None:
    info = describe_backbone(name)
    stages = stages_of(info.architecture)
    assert len(stages) == info.num_blocks + 1
    assert sum(stage.cost.params for stage in stages) == info.num_params


def test_attention_counts_with_the_square_of_the_length() -> None:
    architecture = describe_backbone("minilm_l6").architecture
    short, long = (stages_of(architecture, size)[1] for size in (64, 128))
    width = 384
    linear = 4 * width**2 + 2 * width * 4 * width
    assert short.cost.multiply_adds == 64 * linear + 2 * 64**2 * width
    assert long.cost.multiply_adds == 128 * linear + 2 * 128**2 * width
    assert short.shape == (64, width)


def test_nothing_random_is_drawn() -> None:
    before = torch.get_rng_state()
    stages_of.cache_clear()
    stages_of("timm/resnet18", 64)
    assert torch.equal(torch.get_rng_state(), before)
    assert count_params(build_backbone("timm/resnet18")) == sum(one.cost.params for one in stages_of("timm/resnet18"))
