"""Two processes give the meta-gradient of one, of second order too; what would silently not is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing import spawn

from graft.core.errors import SpecError
from graft.episodes.adapters.inner_loop import InnerSteps
from graft.episodes.adapters.maml import Maml
from graft.episodes.guard import functional_gradient, require_unwrapped
from graft.episodes.meta_learner import MetaLearner, MetaPlan
from graft.episodes.objective import MetaLoss
from graft.episodes.samples import RAW, Samples
from graft.episodes.starts.network import OwnNetwork
from graft.episodes.task_source import EpisodeShape, TaskSource
from graft.training.world import ALONE, Ranks, World


def learner(world: World, first_order: bool = False) -> MetaLearner:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    samples = Samples.of({RAW: torch.randn(48, 8, 8, generator=generator)}, [row // 6 for row in range(48)])
    start = OwnNetwork((8, 8), channels=8)
    loss = MetaLoss(start, Maml(start, InnerSteps(2, 0.4, first_order)))
    source = TaskSource(samples, EpisodeShape(3, (1,), 2))
    return MetaLearner(loss, source, None, MetaPlan(epochs=1, steps=2, tasks=4), world)


def gradient(one: MetaLearner) -> Tensor:
    return torch.cat([weight.grad.flatten() for weight in one.loss.parameters() if weight.grad is not None])


def after_a_step(world: World, first_order: bool = False) -> tuple[Tensor, Mapping[str, Tensor]]:
    one = learner(world, first_order)
    own = 4 // world.size
    one._forward(one.source.batch(0, own, world.rank * own)).backward()
    found = gradient(one)
    one.train(None, validate=False)
    return found, one.state().part("model")


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    world = Ranks()
    found, weights = after_a_step(world)
    wrapped = world.data_parallel(learner(ALONE).loss)
    with pytest.raises(SpecError, match="is wrapped for several processes, but a gradient by torch"):
        functional_gradient(wrapped, learner(ALONE).source.batch(0, 2))
    with pytest.raises(SpecError, match="module 0 is wrapped"):
        require_unwrapped(nn.Sequential(wrapped))
    with pytest.raises(SpecError, match="is wrapped for several processes"):
        MetaLearner(wrapped, learner(ALONE).source, None, MetaPlan(tasks=4), world)  # type: ignore[arg-type]
    torch.save((found, weights), f"{folder}/{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def test_two_processes_have_the_gradient_and_the_weights_of_one(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path),), 2)
    found, weights = after_a_step(ALONE)
    first_order = after_a_step(ALONE, first_order=True)[0]
    assert (first_order - found).abs().max() > 1e-3, "else a first-order gradient would pass for one of second order"
    for rank in (0, 1):
        theirs, their_weights = torch.load(tmp_path / f"{rank}.pt")
        assert (theirs - found).abs().max() / found.abs().max() < 1e-5
        # AdamW's first step is the sign of the gradient, so weights are compared as two steps leave them.
        for name, one in weights.items():
            torch.testing.assert_close(their_weights[name], one, rtol=1e-3, atol=2e-4)


def test_without_a_wrapper_both_ways_to_the_gradient_agree() -> None:
    one = learner(ALONE)
    batch = one.source.batch(0, 4)
    slopes = functional_gradient(one.loss, batch)
    one.loss(batch).backward()
    for name, weight in one.loss.named_parameters():
        torch.testing.assert_close(slopes[name], weight.grad, rtol=1e-4, atol=1e-6)


def test_tasks_are_shared_out_evenly() -> None:
    one = learner(ALONE)

    class Three:
        rank, size = 0, 3

    with pytest.raises(ValueError, match="tasks is 4, but must be a multiple of the 3 ranks"):
        MetaLearner(one.loss, one.source, None, one.plan, Three())  # type: ignore[arg-type]
