import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from graft.core.errors import ArtifactError, GraftError, SpecError
from graft.learner.mapped.backbone import map_backbone
from graft.models.libraries import build_backbone
from graft.models.mapping.source import find_source

TARGET = "timm:test_efficientnet"


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: one.clone() for name, one in build_backbone("timm/test_efficientnet").state_dict().items()}


def saved(path: Path, tensors: dict[str, torch.Tensor]) -> str:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return str(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found,
        lambda found: {f"module.{name}": one for name, one in found.items()},
        lambda found: {**{f"backbone.{name}": one for name, one in found.items()}, "head.1.weight": torch.ones(2, 3)},
        lambda found: {**found, "classifier.weight": torch.ones(9, 4), "optimizer_step": torch.tensor(3)},
        lambda found: {f"encoder.{name}": found[name] for name in sorted(found, key=lambda name: name[::-1])},
        lambda found: {name: one.bfloat16() if one.is_floating_point() else one for name, one in found.items()},
        lambda found: {name: one.double() if one.is_floating_point() else one for name, one in found.items()},
    ],
    ids=["plain", "prefixed", "of a bundle", "more than needed", "a part, in another order", "bfloat16", "float64"],
)
def test_a_file_of_the_same_network_fills_it_all(tmp_path, change):
    source = find_source(saved(tmp_path / "w.safetensors", change(state())))
    mapped = map_backbone(source, TARGET, 32)
    assert mapped.report.coverage == 100
    assert mapped.report.missing == ()
    assert all(one.dtype == torch.float32 for one in mapped.loaded.backbone.parameters())


def test_numbers_that_are_none_are_refused(tmp_path):
    found = state()
    found["blocks.0.conv.weight"][0] = torch.nan
    with pytest.raises(ArtifactError, match=r"1 of its tensors holds .* `blocks.0.conv.weight`; train it anew"):
        map_backbone(find_source(saved(tmp_path / "w.safetensors", found)), TARGET, 32)


def test_the_only_file_of_a_folder_is_meant(tmp_path):
    saved(tmp_path / "w.safetensors", state())
    assert find_source(str(tmp_path)).name == str(tmp_path / "w.safetensors")
    torch.save(state(), tmp_path / "v.pth")
    with pytest.raises(SpecError, match=r"folder with 2 files of weights \(v.pth, w.safetensors\).* name it"):
        find_source(str(tmp_path))


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(SpecError, match="is a folder with no weights"):
        find_source(str(tmp_path))


def test_another_kind_of_file_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("no weights")
    with pytest.raises(SpecError, match=r"is no file of weights, but must end in .safetensors"):
        find_source(str(tmp_path / "notes.txt"))


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def hostile(path: Path) -> list[Path]:
    """Files that are no weights, each in its own way."""
    files = [path / name for name in ("code.pth", "cut.safetensors", "noise.safetensors", "empty.pth", "list.pth")]
    files[0].write_bytes(pickle.dumps({"w": Bomb()}))
    saved(files[1], state())
    files[1].write_bytes(files[1].read_bytes()[:-100])
    files[2].write_bytes(bytes(range(256)) * 9)
    files[3].write_bytes(b"")
    torch.save([1, 2, 3], files[4])
    return files


@pytest.mark.parametrize("index", range(5))
def test_what_is_no_file_of_weights_is_refused_in_one_line(tmp_path, monkeypatch, index):
    monkeypatch.chdir(tmp_path)
    file = hostile(tmp_path)[index]
    with pytest.raises(ArtifactError, match=file.name) as caught:
        map_backbone(find_source(str(file)), TARGET, 32)
    assert "\n" not in str(caught.value)
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": torch.zeros(0)},
        {"blocks.x.y": torch.ones(3), "stem": torch.ones(2)},
        {"blocks.0.0.conv.weight": torch.ones(1)},
        {"": torch.ones(2), ".": torch.eye(2), "0.0.0": torch.ones(4)},
        {f"blocks.{index}.w": torch.ones(index + 1) for index in range(300)},
    ],
    ids=["empty tensor", "odd names", "another shape", "names of dots", "many blocks"],
)
def test_weights_of_nothing_known_cover_nothing(tmp_path, tensors):
    with pytest.raises(GraftError, match="but must cover at least 50 %"):
        map_backbone(find_source(saved(tmp_path / "w.safetensors", tensors)), TARGET, 32)


def test_equal_weights_have_equal_digests(tmp_path):
    first, second = saved(tmp_path / "a.safetensors", state()), saved(tmp_path / "b.safetensors", state())
    other = saved(tmp_path / "c.safetensors", {**state(), "more": nn.Linear(1, 1).weight.detach()})
    digests = [find_source(one).digest() for one in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]


def test_a_backbone_whose_weights_are_not_here_says_what_fetches_them():
    with pytest.raises(ArtifactError, match=r"graft zoo pull timm:test_resnet\.r160_in1k"):
        find_source("timm:test_resnet.r160_in1k").digest()


def test_a_part_of_a_network_is_not_taken_for_all_of_it(tmp_path):
    """The first of two files may cover more than half of a network, which would be enough."""
    names = ("model-00001-of-00002.safetensors", "pytorch_model-00002-of-00002.bin", "model.safetensors.index.json")
    for name in names:
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(SpecError, match=r"(part \d of 2|list of the parts) of a network, but must be one file"):
            find_source(str(tmp_path / name))
    with pytest.raises(SpecError, match=r"00001-of-00002.safetensors is part 1 of 2 of a network"):
        find_source(str(tmp_path))
    (tmp_path / "whole-00001-of-00001.safetensors").write_bytes(b"")
    assert find_source(str(tmp_path / "whole-00001-of-00001.safetensors")).kind == "file"
