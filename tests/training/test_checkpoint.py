import errno
import json
from dataclasses import replace

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from graft.core.errors import ArtifactError, ResourceError
from graft.training import checkpoint
from graft.training.checkpoint import TrainingState, load_state, save_state
from graft.training.plan import PartialEpoch


@pytest.fixture
def state():
    tensors = {
        "model/weight": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "model/count": torch.tensor(7),
        "optimizer/weight/step": torch.tensor(3.0),
        "optimizer/weight/empty": torch.zeros(0),
    }
    partial = PartialEpoch(steps=5, samples=80, loss_sum=0.1 + 0.7)
    return TrainingState(3, 2, {"val/accuracy": 0.1 + 0.2}, tensors, partial, batch_size=16)


def test_round_trip_is_exact(state, tmp_path):
    save_state(state, tmp_path / "deep" / "state.safetensors")
    loaded = load_state(tmp_path / "deep" / "state.safetensors")
    assert replace(loaded, tensors={}) == replace(state, tensors={})
    assert loaded.tensors.keys() == state.tensors.keys()
    assert all(torch.equal(tensor, state.tensors[name]) for name, tensor in loaded.tensors.items())


def test_parts_lose_their_prefix(state):
    assert {*state.part("model")} == {"weight", "count"}
    assert {*state.part("optimizer")} == {"weight/step", "weight/empty"}
    assert state.part("best") == {}


def test_saving_again_replaces(state, tmp_path):
    path = tmp_path / "state.safetensors"
    save_state(state, path)
    save_state(TrainingState(9), path)
    assert load_state(path).epochs_done == 9
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match="is no training state"):
        load_state(tmp_path / "state.safetensors")


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_truncated_file(state, tmp_path, keep):
    path = tmp_path / "state.safetensors"
    save_state(state, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=r"is no training state .* train again"):
        load_state(path)


def test_one_flipped_bit_in_the_weights(state, tmp_path):
    path = tmp_path / "state.safetensors"
    save_state(state, path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="is damaged"):
        load_state(path)


def rewrite(path, change):
    with safe_open(path, framework="pt") as stored:
        facts, metadata = json.loads(stored.metadata()["graft"]), stored.metadata()
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    facts.update(change)
    metadata["graft"] = json.dumps(facts)
    return tensors, facts, metadata


@pytest.mark.parametrize("change", [{"epochs_done": 4}, {"batch_size": 8}, {"partial": {"steps": 6}}])
def test_a_changed_number(state, tmp_path, change):
    path = tmp_path / "state.safetensors"
    save_state(state, path)
    tensors, _, metadata = rewrite(path, change)
    save_file(tensors, path, metadata)
    with pytest.raises(ArtifactError, match="is damaged"):
        load_state(path)


@pytest.mark.parametrize(
    ("found", "told"),
    [(3, "has format 3, but must have at most 2; upgrade graft"), (1, "has format 1, but must have 2; delete it")],
)
def test_another_format(state, tmp_path, found, told):
    path = tmp_path / "state.safetensors"
    save_state(state, path)
    tensors, facts, metadata = rewrite(path, {"format": found})
    save_file(tensors, path, {**metadata, "sha256": checkpoint._digest(facts, tensors)})
    with pytest.raises(ArtifactError, match=told):
        load_state(path)


def test_a_foreign_safetensors_file(tmp_path):
    path = tmp_path / "state.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ArtifactError, match="is no training state"):
        load_state(path)


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
]


@pytest.mark.parametrize("error", FULL, ids=["system", "safetensors"])
def test_a_full_disk_leaves_the_old_state_and_no_scrap(state, tmp_path, monkeypatch, error):
    path = tmp_path / "state.safetensors"
    save_state(state, path)

    def full(*_):
        raise error

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(ResourceError, match="no space left"):
        save_state(TrainingState(9), path)
    assert load_state(path).epochs_done == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]
