import pytest
import torch

from graft.data.batch import Batch, concatenated, to_device


@pytest.fixture
def batch() -> Batch:
    """Seven samples of two tensors."""
    tokens = torch.arange(21).reshape(7, 3)
    return Batch({"input_ids": tokens, "attention_mask": tokens % 2})


def test_it_is_a_dict_of_tensors_with_a_size(batch):
    assert isinstance(batch, dict)
    assert (batch.size, batch.device) == (7, torch.device("cpu"))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_are_all_samples_in_order_and_of_about_one_size(batch, count):
    parts = batch.split(count)
    assert len(parts) == count
    sizes = [part.size for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for name, tensor in batch.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), tensor)
    assert all(isinstance(part, Batch) and part.keys() == batch.keys() for part in parts)


def test_more_parts_than_samples_leave_some_empty(batch):
    sizes = [part.size for part in batch.split(9)]
    assert sizes == [1] * 7 + [0] * 2


def test_parts_joined_are_the_whole(batch):
    whole = concatenated(batch.split(3))
    assert isinstance(whole, Batch)
    assert whole.keys() == batch.keys()
    assert all(torch.equal(whole[name], tensor) for name, tensor in batch.items())


def test_all_tensors_go_to_a_device_and_the_batch_stays(batch):
    there = batch.to(torch.device("meta"))
    assert isinstance(there, Batch)
    assert there.device.type == "meta"
    assert {tensor.device.type for tensor in there.values()} == {"meta"}
    assert there.size == batch.size
    assert batch.device.type == "cpu"


def test_what_is_on_the_device_is_not_copied(batch):
    there = batch.to(torch.device("cpu"))
    assert all(there[name] is tensor for name, tensor in batch.items())


@pytest.mark.gpu
def test_a_gpu_gets_the_same_values(batch):
    there = batch.to(torch.device("cuda"))
    assert there.device.type == "cuda"
    assert all(torch.equal(there[name].cpu(), tensor) for name, tensor in batch.items())
    assert to_device(batch["input_ids"], torch.device("cuda")).is_cuda


def test_a_cpu_computes_a_few_samples_at_once() -> None:
    def sizes(rows: int, *shape: int) -> list[int]:
        return [part.size for part in Batch({"pixels": torch.zeros(rows, *shape)}).computed_at_once()]

    assert sizes(128, 3, 32, 32) == [128]
    assert sizes(128, 3, 64, 64) == [32] * 4
    assert sizes(128, 3, 128, 128) == [16] * 8
    assert sizes(20, 3, 128, 128) == [20]
    assert sizes(128, 64) == [128]
    assert len(Batch({"pixels": torch.zeros(128, 3, 64, 64, device="meta")}).computed_at_once()) == 1
