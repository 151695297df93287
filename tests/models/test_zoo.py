from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.models.sources import FileWeights, HubWeights, PackageWeights
from graft.models.zoo import ZOO, find_entry


@pytest.mark.parametrize("name", ZOO.names())
def test_bundled_names_come_from_packages_with_known_digests(name):
    entry = find_entry(name)
    weights = getattr(entry.weights, "source", entry.weights)
    assert isinstance(weights, PackageWeights)
    assert len(weights.sha256) == 64
    assert entry.weights.version() == weights.sha256
    assert entry.info is not None
    assert (entry.info.name, entry.info.architecture) == (name, entry.architecture)


def test_hub_names():
    assert find_entry("timm:resnet18.a1_in1k").weights == HubWeights("timm", "resnet18.a1_in1k")
    assert find_entry("torchvision:resnet18").architecture == "torchvision/resnet18"
    assert find_entry("hf:google/bert").architecture == "hf/google/bert"
    assert find_entry("gru:hf:google/bert").weights == HubWeights("gru", "hf:google/bert")


def test_local_names_keep_colons_of_the_path_and_know_the_home_directory():
    entry = find_entry("local:timm/resnet18:/data/a:b.pth")
    assert entry.architecture == "timm/resnet18"
    assert entry.weights == FileWeights(Path("/data/a:b.pth"))
    home = find_entry("local:timm/resnet18:~/w.pth").weights
    relative = find_entry("local:timm/resnet18:w.pth").weights
    assert home == FileWeights(Path.home() / "w.pth")
    assert relative == FileWeights(Path.cwd() / "w.pth")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("eficientnet_lite0", "did you mean `efficientnet_lite0`?"),
        ("resnet18", "`timm:ARCHITECTURE`"),
        ("bert", "`hf:FOLDER`, `hf:NAME`"),
        ("keras:google/vit", "but must be `timm:ARCHITECTURE`"),
        ("timm:", "but must be `timm:ARCHITECTURE`"),
        ("local:resnet18:w.pth", "must have the form `local:LIBRARY/ARCHITECTURE:PATH`"),
        ("local:timm/resnet18", "must have the form"),
        ("local:timm/:w.pth", "must have the form"),
        ("local:keras/resnet18:w.pth", "must have the form"),
    ],
)
def test_names_without_meaning(name, says):
    with pytest.raises(SpecError) as caught:
        find_entry(name)
    assert f"backbone is `{name}`" in str(caught.value)
    assert says in str(caught.value)
