from collections.abc import Callable

import pytest

from graft.modalities.image.backbones import sizes
from graft.models.load import backbone_names, check_backbone, describe_backbone, size_problem


def taker(*allowed: int) -> Callable[[int], None]:
    def run(side: int) -> None:
        if side not in allowed:
            raise RuntimeError("no such\nside.")

    return run


def test_a_size_that_works_has_no_problem() -> None:
    assert sizes.size_problem("net", 64, 224, taker(64)) is None


def test_the_smallest_and_the_nearest_that_work_are_told() -> None:
    told = sizes.size_problem("net", 100, 224, taker(32, 96, 224))
    assert told == "is 100, which net cannot take (no such side); the smallest that works is 32, the nearest 96"
    told = sizes.size_problem("net", 64, 224, taker(224))
    assert told == "is 64, which net cannot take (no such side); the smallest that works is 224"


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("timm:test_convnext", 16, "the smallest that works is 32"),
        (
            "timm:test_vit",
            100,
            "must be a multiple of 16, the size of its patches); the smallest that works is 16, the",
        ),
        ("timm:test_resnet", 8, None),
        ("torchvision:resnet18", 8, None),
    ],
)
def test_networks_of_libraries(name: str, size: int, says: str | None) -> None:
    told = size_problem(name, size)
    assert told is None if says is None else says in str(told)


@pytest.mark.parametrize("name", [name for name in backbone_names() if describe_backbone(name).modality == "image"])
def test_bundled_ones_take_any_size(name: str) -> None:
    from graft.models.libraries import library_for

    library, architecture = library_for(describe_backbone(name).architecture)
    assert check_backbone(name) is None
    assert library.size_problem(architecture, 8) is None
