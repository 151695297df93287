"""Whether the numbers of a network can be those of one that was trained."""

import pytest
import torch
from safetensors.torch import save_file

from graft.core.errors import ArtifactError
from graft.models.libraries import library_for
from graft.models.load import load_backbone
from graft.models.mapping.source import find_source
from graft.models.weights.values import same_throughout, values_problem


def state(**tensors):
    return {"a": torch.rand(2, 3), "scale": torch.ones(3), "count": torch.zeros(2, 2, dtype=torch.long), **tensors}


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({}, ""),
        ({"b": torch.zeros(2, 2)}, ""),  # the last layer of a branch often begins so
        ({"a": torch.zeros(2, 3)}, "each of its 1 matrices holds one number throughout, such as 0 in `a`, so nothing"),
        ({"a": torch.full((2, 3), 0.5), "b": torch.zeros(2, 2, 3, 3)}, "each of its 2 matrices holds one number"),
        ({"b": torch.tensor([1.0, torch.nan])}, "1 of its tensors holds infinite values or NaN, such as `b`"),
        ({"b": torch.tensor(torch.inf), "c": torch.tensor(torch.nan)}, "2 of its tensors hold infinite values or NaN"),
    ],
)
def test_numbers_that_nobody_has_trained_are_told(tensors, told):
    found = values_problem(state(**tensors))
    assert found.startswith(told)
    assert bool(found) is bool(told)


def test_matrices_of_one_number_are_named():
    assert same_throughout(state(b=torch.zeros(2, 2), c=torch.ones(2), d=torch.zeros(1, 1))) == ["b"]


@pytest.fixture
def resnet():
    library, architecture = library_for("timm/resnet18")
    return library.create(architecture).state_dict()


@pytest.mark.parametrize("value", [0.0, 0.5, torch.nan])
def test_a_file_without_trained_weights_is_neither_loaded_nor_mapped(value, resnet, tmp_path):
    from graft.learner.mapped.backbone import map_backbone

    path = tmp_path / "w.safetensors"
    save_file(
        {name: torch.full_like(one, value) if one.is_floating_point() else one for name, one in resnet.items()}, path
    )
    told = "NaN" if value != value else r"holds one number throughout, such as 0(.5)? in `.*`, so nothing was learned"
    with pytest.raises(ArtifactError, match=told):
        load_backbone(f"local:timm/resnet18:{path}", 32)
    with pytest.raises(ArtifactError, match=told):
        map_backbone(find_source(str(path)), "timm:resnet18", 32)


def test_a_mapping_notes_matrices_from_which_nothing_is_learned(resnet, tmp_path):
    from graft.learner.mapped.backbone import map_backbone

    resnet["conv1.weight"].zero_()
    save_file(resnet, tmp_path / "w.safetensors")
    notes = map_backbone(find_source(str(tmp_path / "w.safetensors")), "timm:resnet18", 32).report.notes
    assert notes == (
        "1 matrix of the source, such as `conv1.weight`, holds one number throughout, from which nothing is learned",
    )
