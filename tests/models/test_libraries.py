import pytest
import torch
from torch import nn

from graft.core.errors import SpecError
from graft.models.libraries import build_backbone, count_params, did_you_mean


def test_build_backbone_by_architecture():
    backbone = build_backbone("timm/test_efficientnet", size=32).eval()
    with torch.inference_mode():
        assert backbone(torch.randn(2, 3, 32, 32)).shape == (2, backbone.num_features)


@pytest.mark.parametrize(
    ("architecture", "says"),
    [
        ("keras/resnet18", "library is `keras`, but must be one of bag, gru, hf, lstm, timm, torchvision"),
        ("timm/resnet81", "timm has no architecture `resnet81`; did you mean `resnet18`"),
        ("timm/resnet18.no_such_tag", "no_such_tag"),
        (
            "timm/levit_128s",
            "is a LevitDistilled, which is no chain of blocks, each taking what the one before it gives",
        ),
        ("timm/test_vit3", "pools by attention"),
        ("torchvision/resnot18", "torchvision has no architecture `resnot18`; did you mean `resnet18`"),
        ("torchvision/alexnet", "is a AlexNet, but supported are ConvNeXt, EfficientNet, MaxVit, MobileNetV2"),
    ],
)
def test_unusable_architecture_is_one_clear_sentence(architecture, says):
    with pytest.raises(SpecError) as caught:
        build_backbone(architecture)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shared_parameters_count_once():
    layer = nn.Linear(2, 3)
    assert count_params(nn.ModuleList([layer, layer])) == 9


def test_nothing_near_gives_no_hint():
    assert did_you_mean("zzz", ["resnet18"]) == ""
