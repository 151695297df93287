"""A batch: what a network takes of some samples, as named tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor

FEATURES = "features"
"""Name of the one tensor of a batch of stored features; every other name is an input of a modality."""
RESTING = "resting"
"""The same of features of blocks that train later; whoever is given them knows how many rest."""
# Numbers of a batch that a CPU computes at once, 32 images of 64 px, and the fewest rows. What the first blocks make of
# more is too large for the caches, and for what the allocator keeps; 128 px take 9.0 ms an image with 128 at once, and
# 3.7 with 16 (2.8 in workers, whose allocator keeps all: `WORKER_ENVIRONMENT`).
_AT_ONCE, _FEWEST_AT_ONCE = 3 * 2**17, 16


class Batch(dict[str, Tensor]):
    """Named tensors with a row for each sample; a plain dict to whoever computes with them.

    Each modality names its own: ``pixels``; ``input_ids`` and ``attention_mask``; or ``features``, what the frozen
    blocks have made of them; or ``resting``, what those have made that train later.
    """

    @property
    def size(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.values())))

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return next(iter(self.values())).device

    def split(self, count: int) -> list["Batch"]:
        """As many parts, in order, whose sizes differ by one at most."""
        parts = {name: tensor.tensor_split(count) for name, tensor in self.items()}
        return [Batch({name: some[index] for name, some in parts.items()}) for index in range(count)]

    def computed_at_once(self) -> list["Batch"]:
        """The parts in which its device computes it fastest, where nothing depends on who is in one batch.

        On a GPU that is the whole batch.
        """
        if self.device.type != "cpu":
            return [self]
        numbers = sum(tensor.numel() for tensor in self.values())
        return self.split(max(1, min(-(-numbers // _AT_ONCE), self.size // _FEWEST_AT_ONCE)))

    def to(self, device: torch.device) -> "Batch":
        """The same on a device; to a GPU from page-locked memory, so that nothing waits for the copy."""
        return Batch({name: to_device(tensor, device) for name, tensor in self.items()})


def concatenated(batches: list[Mapping[str, Tensor]]) -> Batch:
    """Several batches of equal shapes as one."""
    return Batch({name: torch.cat([one[name] for one in batches]) for name in batches[0]})


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A pinned-memory, non-blocking copy to a GPU; elsewhere a plain one."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
