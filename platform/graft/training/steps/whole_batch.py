"""What a term that compares samples with each other is given: the features of the whole batch, on every rank."""

import torch
from torch import Tensor

from graft.data.batches import Shard, TrainingBatch
from graft.training.world import World


def of_all_ranks(features: Tensor, part: TrainingBatch, world: World) -> tuple[Tensor, Tensor]:
    """Features [N, F] and targets [N] of a whole batch; a gradient flows through this rank's own rows.

    The sum over the ranks of what flows there is the gradient of one process that has the whole batch.

    Args:
        features: [n, F], of this rank's part.
        part: of the batch, whole: a micro-batch is answered with itself, as others may have more of them.
        world: the ranks; each calls this.
    """
    place = Shard(world.rank, world.size).part(part.total)
    # The same on every rank: all of them divide their parts, or none does.
    divided = world.sum([float(len(part.targets) != place.stop - place.start)])[0] if world.size > 1 else 1.0
    if divided:
        return features, part.targets
    everyone = features.detach().new_zeros((part.total, features.shape[1]))
    everyone[place] = features.detach()
    targets = part.targets.new_zeros((part.total, *part.targets.shape[1:]))
    targets[place] = part.targets
    world.sum_(everyone)
    world.sum_(targets)
    return torch.cat([everyone[: place.start], features, everyone[place.stop :]]), targets
