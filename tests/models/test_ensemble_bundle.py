"""A bundle of several networks: the first where one alone would be, the others in bundles of their own below it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from graft.core.errors import ArtifactError
from graft.models.bundle import BundleSpec, EnsembleSpec, MemberBundle, read_bundle, write_bundle
from graft.models.libraries import build_backbone
from graft.models.network import Network, build_head
from graft.spec.modalities.image import ImagePreprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification

NAMES = ("one", "two", "three")


def spec_of(architecture: str, resolution: int) -> BundleSpec:
    return BundleSpec(
        name="digits",
        architecture=architecture,
        strategy=Strategy(),
        task=Classification(),
        names=NAMES,
        facts={"num_outputs": 3, "temperature": 1.5},
        num_outputs=3,
        preprocessing=ImagePreprocessing(
            stored_size=40, resolution=resolution, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
        ),
    )


def network_of(spec: BundleSpec) -> Network:
    backbone = build_backbone(spec.architecture, spec.preprocessing.size)
    return Network(backbone, build_head(spec.strategy.head, backbone.num_features, 3)).eval()


SPECS = [spec_of("timm/test_efficientnet", 32), spec_of("timm/test_resnet", 24)]
TOGETHER = SPECS[0].model_copy(update={"ensemble": EnsembleSpec(share=0.7, facts={"num_outputs": 3})})


@pytest.fixture
def networks() -> list[Network]:
    return [network_of(spec) for spec in SPECS]


@pytest.fixture
def bundle(tmp_path: Path, networks: list[Network]) -> Path:
    member = MemberBundle("t07", 0.3, networks[1], SPECS[1], {"vocabulary.json": b"{}"})
    write_bundle(tmp_path / "bundle", networks[0], TOGETHER, None, [member])
    return tmp_path / "bundle"


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_all_networks_come_back(bundle: Path, networks: list[Network]) -> None:
    found = read_bundle(bundle)
    assert found.spec.ensemble is not None
    ((directory, share),) = [(one.directory, one.share) for one in found.spec.ensemble.members]
    assert (directory, share, found.spec.ensemble.share) == ("member-t07", 0.3, 0.7)
    for network, part, side in zip(networks, (found, *found.members), (32, 24), strict=True):
        x = torch.rand(2, 3, side, side)
        torch.testing.assert_close(part.build()(x), network(x))
    assert (found.members[0].directory / "vocabulary.json").is_file()


def test_each_of_the_others_is_a_bundle_of_its_own(bundle: Path) -> None:
    assert read_bundle(bundle / "member-t07").spec == SPECS[1]


def test_a_reader_of_one_network_refuses_it(bundle: Path) -> None:
    assert json.loads((bundle / "manifest.json").read_text())["format"] == 3


def test_one_network_alone_is_written_as_ever(tmp_path: Path, networks: list[Network]) -> None:
    write_bundle(tmp_path / "one", networks[0], SPECS[0])
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert manifest["format"] == 2
    assert "ensemble" not in manifest
    assert read_bundle(tmp_path / "one").members == ()


def test_a_member_that_is_gone_is_missed(bundle: Path) -> None:
    shutil.rmtree(bundle / "member-t07")
    with pytest.raises(ArtifactError, match="has lost its member member-t07, or has another one in its place; copy or"):
        read_bundle(bundle)


def test_another_member_in_its_place_is_refused(bundle: Path, networks: list[Network]) -> None:
    """A whole bundle, but another."""
    shutil.rmtree(bundle / "member-t07")
    write_bundle(bundle / "member-t07", networks[1], SPECS[1].model_copy(update={"name": "other"}))
    with pytest.raises(ArtifactError, match="another one in its place"):
        read_bundle(bundle)


def test_a_member_that_is_damaged_is_refused(bundle: Path) -> None:
    with (bundle / "member-t07" / "weights.safetensors").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=r"weights.safetensors of bundle .*member-t07 is damaged"):
        read_bundle(bundle)


@pytest.mark.parametrize("directory", ["../elsewhere", "member-../x", "/etc", "member-", "weights.safetensors"])
def test_members_lie_in_the_bundle_and_nowhere_else(bundle: Path, directory: str) -> None:
    ensemble = json.loads((bundle / "manifest.json").read_text())["ensemble"]
    ensemble["members"][0]["directory"] = directory
    edit(bundle / "manifest.json", ensemble=ensemble)
    with pytest.raises(ArtifactError, match="cannot be understood"):
        read_bundle(bundle)


def test_a_bundle_that_could_not_be_written_leaves_nothing(tmp_path: Path, networks: list[Network]) -> None:
    gone = MemberBundle("t07", 0.3, networks[1], SPECS[1], {"gone/vocabulary.json": b"{}"})
    with pytest.raises(FileNotFoundError):
        write_bundle(tmp_path / "bundle", networks[0], TOGETHER, None, [gone])
    assert list(tmp_path.iterdir()) == []
