"""Small trainings that run on any number of ranks: as a program on several, as a module on one.

``python ranks.py RANK SIZE DIRECTORY`` joins a gloo group through a file in the directory, runs every scenario in
`SCENARIOS`, and leaves what each returned in ``DIRECTORY/RANK.pt``.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from graft.data.batch import Batch
from graft.data.batches import Batches, Shard, TrainingBatch
from graft.data.dataset import DatasetArrays
from graft.modalities.image.augment.light import Light
from graft.modalities.image.info import PIXELS
from graft.modalities.image.transforms import image_inputs
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.network import Network
from graft.spec.modalities.image import ImagePreprocessing
from graft.spec.registry import build
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.tasks.registry import build_task
from graft.training.batch_norm import global_batch_norm
from graft.training.checkpoint import load_state, save_state
from graft.training.loop import Session, TrainingPlan, prepare, train, train_epoch
from graft.training.predict import predict_in_parts
from graft.training.world import Ranks, World
from graft.transfer.adapt import adapt

ROWS, CLASSES, SIDE = 39, 3, 8
PREPROCESSING = ImagePreprocessing(
    stored_size=SIDE, resolution=SIDE, channels=3, interpolation="bicubic", mean=(0.5,) * 3, std=(0.2,) * 3
)
FACTS = {"num_outputs": CLASSES}
TASK = build_task(Classification())
Result = dict[str, Any]


def arrays() -> DatasetArrays:
    """39 noisy images of three colours: batches of 8, and a last one of 7, which two ranks cannot halve."""
    draw = np.random.default_rng(0)
    labels = np.arange(ROWS) % CLASSES
    images = draw.integers(0, 120, (ROWS, SIDE, SIDE, 3))
    images[np.arange(ROWS), :, :, labels] += 60
    columns = {PIXELS: images.astype(np.uint8)}
    return DatasetArrays(columns, labels, np.zeros(ROWS, np.uint8), ("a", "b", "c"), FACTS)


def batches(world: World, size: int, rows: int = ROWS) -> Batches:
    data = arrays()
    inputs = image_inputs(data.columns, PREPROCESSING, torch.device("cpu"))
    return Batches(inputs, data.targets, np.arange(rows), size, Shard(world.rank, world.size))


def session(world: World, strategy: Strategy, norm: bool = False, dropout: float = 0.0, **plan: Any) -> Session:
    """A session over a tiny network; its steps are those of batches of 8."""

    def block(inputs: int, outputs: int) -> nn.Sequential:
        between = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), between, nn.ReLU(), nn.Dropout(dropout))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        backbone = Backbone(block(3, 4), [block(4, 4), block(4, 4)], pool, 4, PIXELS)
        network = Network(backbone, nn.Linear(4, CLASSES))
    settings = {"epochs": 3, "seed": 5, **plan}
    loss = build(strategy.loss, arrays().targets, FACTS, "cpu")
    adapted = adapt(network, strategy, 1)
    build_modality("image").place(adapted.model, torch.device("cpu"))
    return prepare(adapted, TrainingPlan(strategy, **settings), 5, loss, world=world)


def learn(
    world: World,
    strategy: Strategy,
    augment: str = "none",
    weights: np.ndarray | None = None,
    size: int = 8,
    **settings: Any,
) -> Result:
    """Train with batches of one size and say where it led."""
    made, reports = session(world, strategy, **settings), []

    def evaluate(model: nn.Module) -> dict[str, float]:
        predicted = predict_in_parts(model, batches(world, 4), "fp32", world)
        if predicted is None:
            return {}
        probabilities, labels = TASK.decide(predicted, FACTS), arrays().targets
        return {"accuracy": float((probabilities.argmax(axis=1) == labels).mean()), "first": float(probabilities[0, 0])}

    exchanges = counted_exchanges(made.parallel)
    augmenter = Light(Strategy(augment=augment).augment, "horizontal")
    training = batches(world, size).weighted(weights)
    outcome = train(made, training, evaluate, lambda result: reports.append(dict(result.metrics)), augmenter)
    return {
        "status": outcome.status.value,
        "best": outcome.best_epoch,
        "reports": reports,
        "exchanges": len(exchanges),
        "weights": {name: tensor.clone() for name, tensor in made.model.network.state_dict().items()},
    }


def counted_exchanges(network: nn.Module) -> list[int]:
    """Gets an entry whenever gradients are exchanged."""
    seen: list[int] = []

    def exchange(_: None, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        seen.append(bucket.index())
        return allreduce_hook(None, bucket)

    if isinstance(network, DistributedDataParallel):
        network.register_comm_hook(None, exchange)
    return seen


def plain(world: World) -> Result:
    strategy = Strategy(lr=0.05, optimizer="sgd", penalty="l2_sp", freeze=0.5, batch_size=8)
    return learn(world, strategy, augment="light")


def one_step(world: World) -> Result:
    """A batch that is larger than the data."""
    return learn(world, Strategy(lr=0.5, optimizer="sgd", batch_size=512), size=512)


def adamw(world: World) -> Result:
    return learn(world, Strategy(lr=0.01, batch_size=8, loss={"kind": "class_balanced", "beta": 0.9}))


def clipped(world: World) -> Result:
    """Gradients that are clipped at every step, in micro-batches on two ranks."""
    strategy = Strategy(lr=0.2, optimizer="sgd", penalty="l2_sp", clip_norm=0.05, batch_size=8)
    return learn(world, strategy, accumulate=1 if world.size == 1 else 2)


def averaged(world: World) -> Result:
    """Sharpness-aware steps, and an average of the weights that is what is judged, in micro-batches on two ranks."""
    strategy = Strategy(lr=0.05, optimizer="sgd", sam=0.1, ema=0.8, batch_size=8)
    return learn(world, strategy, accumulate=1 if world.size == 1 else 2)


def by_running(world: World) -> Result:
    """Every channel normalised by the running statistics: those of the whole batch where they are synchronised."""
    strategy = Strategy(lr=0.05, optimizer="sgd", stochastic_norm=1.0, batch_size=8)
    return learn(world, strategy, norm=True, sync_batch_norm=True)


def averaged_statistics(world: World) -> Result:
    """Batch norm that sees a part only: running statistics, and their average, are those of all ranks."""
    made = session(world, Strategy(lr=0.05, optimizer="sgd", ema=0.8, batch_size=8), norm=True)
    train(made, batches(world, 8), None)
    state = made.state()
    return {"weights": state.part("average"), "best": state.part("best")}


def compared(world: World) -> Result:
    """Feature maps held near those of the source network, in micro-batches on two ranks."""
    penalty = {"kind": "delta", "strength": 1.0, "attention": False}
    strategy = Strategy(lr=0.05, optimizer="sgd", penalty=penalty, freeze=0.5, batch_size=8)
    return learn(world, strategy, accumulate=1 if world.size == 1 else 2)


def accumulated(world: World) -> Result:
    """The same training as alone without micro-batches."""
    accumulate = 1 if world.size == 1 else 2
    return learn(world, Strategy(lr=0.05, optimizer="sgd", loss="focal", batch_size=8), accumulate=accumulate)


def weighted(world: World) -> Result:
    """Samples that count 0 to 4, in micro-batches on two ranks."""
    strategy = Strategy(lr=0.05, optimizer="sgd", loss="focal", batch_size=8)
    weights = np.arange(ROWS) % 5.0
    return learn(world, strategy, weights=weights, accumulate=1 if world.size == 1 else 2)


def synchronised(world: World) -> Result:
    return learn(world, Strategy(lr=0.05, optimizer="sgd", batch_size=8), norm=True, sync_batch_norm=True)


def unsynchronised(world: World) -> Result:
    return learn(world, Strategy(lr=0.05, freeze=0.5, batch_size=8), norm=True, dropout=0.3)


def synchronised_micro_batches(world: World) -> Result:
    """The last batch is 3 and 4 samples on two ranks: both must take the same number of micro-batches."""
    return learn(world, Strategy(lr=0.05, batch_size=8), norm=True, sync_batch_norm=True, accumulate=2)


STILL = Strategy(lr=1e-30, weight_decay=0.0, optimizer="sgd", batch_size=8)


def gradual(world: World) -> Result:
    """Blocks that take no gradient at first, in micro-batches on two ranks."""
    strategy = Strategy(lr=0.05, optimizer="sgd", unfreeze={"kind": "gradual", "groups": 2}, lr_decay=0.8, batch_size=8)
    return learn(world, strategy, accumulate=1 if world.size == 1 else 2)


def head_first(world: World) -> Result:
    return learn(world, Strategy(lr=0.01, unfreeze="head_first", penalty="l2_sp", batch_size=8))


def contrasted(world: World) -> Result:
    """Samples are compared with those of the other rank, too."""
    return learn(world, Strategy(lr=0.02, penalty={"kind": "contrast", "strength": 3.0}, batch_size=8))


def low_rank(world: World) -> Result:
    strategy = Strategy(lr=0.05, optimizer="sgd", tune={"kind": "lora", "rank": 2}, unfreeze="gradual", batch_size=8)
    return learn(world, strategy, norm=True)


def statistics(world: World) -> Result:
    """What batch norm has seen of an epoch in which no weight moves."""
    made = session(world, STILL, norm=True, epochs=1)
    train(made, batches(world, 8), None)
    return {name: buffer.clone() for name, buffer in made.model.network.named_buffers()}


def infinite(world: World) -> Result:
    """An infinite pixel in one sample, which one rank has."""
    made = session(world, Strategy(lr=0.05, batch_size=8))
    poisoned = batches(world, 8)

    def images(*_: Any) -> Any:
        for index, (pixels, labels, total, _) in enumerate(poisoned.epoch(5, 1)):
            factor = float("inf") if index == 2 and world.rank == world.size - 1 else 1
            yield TrainingBatch(Batch({PIXELS: pixels[PIXELS] * factor}), labels, total)

    steps: list[dict[str, torch.Tensor]] = []
    poisoned_batches = type("Poisoned", (), {"epoch": images})()
    outcome = train(
        made,
        poisoned_batches,
        None,
        train_one=partial(
            train_epoch,
            on_step=lambda *at: steps.append({n: p.detach().clone() for n, p in made.model.named_parameters()}),
        ),
    )
    kept = all(torch.equal(parameter, steps[-1][name]) for name, parameter in made.model.named_parameters())
    return {"status": outcome.status.value, "reason": outcome.reason, "steps": len(steps), "kept": kept}


def wished(world: World) -> Result:
    """Rank 0 wants to stop in its seventh step; the others are not asked."""
    made, asked = session(world, Strategy(lr=0.05, batch_size=8)), []

    def wish() -> bool:
        asked.append(1)
        return len(asked) == 7

    outcome = train(made, batches(world, 8), None, train_one=partial(train_epoch, should_stop=wish))
    return {"status": outcome.status.value, "reason": outcome.reason, "asked": len(asked)}


def told(world: World) -> Result:
    """Only rank 0 has something to say after an epoch."""
    made = session(world, Strategy(lr=0.05, batch_size=8))
    outcome = train(made, batches(world, 8), None, (lambda result: result.epoch < 2) if world.rank == 0 else None)
    return {"status": outcome.status.value, "reason": outcome.reason}


CUT_OFF = Strategy(lr=0.05, optimizer="sgd", batch_size=8, augment="light")


def cut_off(world: World, directory: Path) -> Result:
    """Ends within the second epoch, and leaves its state."""
    made = session(world, CUT_OFF)
    train(
        made,
        batches(world, 8),
        None,
        None,
        Light(CUT_OFF.augment),
        train_one=partial(train_epoch, on_step=lambda epoch, steps: (epoch, steps) != (2, 3)),
    )
    if world.rank == 0:
        save_state(made.state(), directory / "cut_off")
    return {"partial": (made.epochs_done, made.partial.steps, made.partial.samples)}


def gone_on(world: World, directory: Path | None) -> Result:
    """From the state that was left, or from the start."""
    made, reports = session(world, CUT_OFF), []
    if directory:
        made.load(load_state(directory / "cut_off"))
    train(made, batches(world, 8), None, lambda r: reports.append(dict(r.metrics)), Light(CUT_OFF.augment))
    return {
        "reports": reports,
        "weights": {name: tensor.clone() for name, tensor in made.model.network.state_dict().items()},
    }


def operations(world: World) -> Result:
    rank = world.rank
    equal, differing = torch.tensor([0.1, 1 / 3]), torch.tensor([float(rank), -1.0])
    counted = torch.tensor([float(rank + 1)])
    world.average_([equal, differing])
    world.sum_(counted)
    rows = torch.arange(6, dtype=torch.int64).reshape(3, 2) + 10 * rank
    return {
        "equal": equal,
        "differing": differing,
        "counted": counted,
        "sum": world.sum([1.5, float(rank)]),
        "rows": world.gather_rows(rows[: 3 - rank]),
        "one has rows": world.gather_rows(rows if rank == world.size - 1 else torch.empty(0, 0, dtype=torch.int64)),
        "none has rows": world.gather_rows(torch.empty(0, 0)),
        "broadcast": world.broadcast({"rank": rank, "nan": float("nan"), "third": 1 / 3}),
    }


def few_rows(world: World) -> Result:
    """One sample: with two ranks the first has none."""
    model = session(world, Strategy()).model
    predicted = predict_in_parts(model, batches(world, 4, rows=1), "fp32", world)
    try:
        predict_in_parts(model, batches(world, 4, rows=0), "fp32", world)
        refused = ""
    except ValueError as error:
        refused = str(error)
    return {"predicted": predicted, "refused": refused}


def normalised(world: World) -> Result:
    """Batch norm as a function, on parts of 7 samples; gradients are those of a sum over all."""
    draw = torch.Generator().manual_seed(0)
    whole = torch.randn(7, 3, 4, 4, generator=draw) * 3 + 50
    target = torch.randn(7, 3, 4, 4, generator=draw)
    part = Shard(world.rank, world.size).part(7)
    x = whole[part].clone().requires_grad_()
    weight = torch.tensor([1.0, 2.0, -1.0]).requires_grad_()
    bias = torch.tensor([0.0, 1.0, 2.0]).requires_grad_()
    mean, variance = torch.zeros(3), torch.ones(3)
    with global_batch_norm(world):
        y = functional.batch_norm(x, mean, variance, weight, bias, True, 0.3)
        half = functional.batch_norm(whole[part].bfloat16(), None, None, training=True)
        fixed = functional.batch_norm(whole[part], mean, variance)
    (y * target[part]).square().sum().backward()
    for parameter in (weight, bias):
        world.sum_(parameter.grad)
    gathered = {"y": y.detach(), "x.grad": x.grad, "half": half.float(), "fixed": fixed}
    rows = {name: world.gather_rows(tensor.flatten(1)) for name, tensor in gathered.items()}
    return {**rows, "weight": weight.grad, "bias": bias.grad, "mean": mean, "variance": variance}


SCENARIOS: dict[str, Callable[[World], Result]] = {
    scenario.__name__: scenario
    for scenario in (
        plain,
        one_step,
        adamw,
        clipped,
        compared,
        averaged,
        by_running,
        averaged_statistics,
        accumulated,
        weighted,
        synchronised,
        unsynchronised,
        synchronised_micro_batches,
        gradual,
        head_first,
        contrasted,
        low_rank,
        statistics,
        infinite,
        wished,
        told,
        operations,
        few_rows,
        normalised,
    )
}


def main(rank: int, size: int, directory: Path) -> None:
    torch.set_num_threads(1)
    store = distributed.FileStore(str(directory / "store"), size)
    limit = timedelta(minutes=2)  # a rank that fails must not leave the other waiting for half an hour
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=limit)
    world = Ranks()
    results = {name: scenario(world) for name, scenario in SCENARIOS.items()}
    results["cut_off"] = cut_off(world, directory)
    torch.save(results, directory / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
