"""What it costs that a batch is a mapping of named tensors: a training step with one, and the same with a bare tensor.

Both steps are graft's own (`training.loop.train_epoch`: seed, learning rate, forward, loss, backward, optimiser) on one
session of one process and one thread. They take turns, and who begins changes with every turn; a ratio is of neighbours
in time, and the median of many is what counts: a step on a busy machine may take twice as long as its neighbour.
`frozen 1` trains the head alone on stored features, the shortest step there is: there a fixed cost shows most.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from reporting import json_line, provenance, spread, table
from torch import Tensor
from torch.nn import functional

from graft.data.batch import FEATURES, Batch
from graft.learner.prefix import prefix_of
from graft.modalities.image.info import PIXELS
from graft.models.load import load_backbone
from graft.models.network import Network, build_head
from graft.spec.strategy import Strategy
from graft.training.loop import Session, TrainingBatch, TrainingPlan, prepare, train_epoch
from graft.transfer.adapt import adapt

EXAMPLE = """example:
  python tests/benchmarks/batch_cost.py --freeze 1 --repeats 200
"""
BACKBONE, CLASSES, TARGET = "efficientnet_lite0", 10, 1.01
# More steps than are ever made, so that the learning rate does not come to its end.
MANY = 10**6


@dataclass(frozen=True)
class Way:
    """One of the two ways to give a step its batch.

    Attributes:
        make: the batch, made anew for every step.
        forward: from the batch to outputs.
    """

    make: Callable[[], Any]
    forward: Callable[[Any], Tensor]


def ways(freeze: float, resolution: int, batch: int) -> tuple[Session, Mapping[str, Way]]:
    """A session, and both ways to train it; stored features where something is frozen, as in a search."""
    strategy = Strategy(backbone=BACKBONE, freeze=freeze, resolution=resolution, batch_size=batch)
    loaded = load_backbone(BACKBONE, resolution)
    network = Network(loaded.backbone, build_head(strategy.head, loaded.backbone.num_features, CLASSES))
    adapted = adapt(network.to(memory_format=torch.channels_last), strategy, seed=0)
    plan = TrainingPlan(strategy, epochs=1, seed=0, num_threads=1)
    session = prepare(adapted, plan, MANY, functional.cross_entropy)
    images = torch.randn(batch, 3, resolution, resolution).contiguous(memory_format=torch.channels_last)
    if prefix_of(strategy) is None:
        bare = Way(lambda: images, session.forward)
        return session, {"tensor": bare, "mapping": Way(lambda: Batch({PIXELS: images}), session.forward)}
    with torch.no_grad():
        features = network.eval().backbone.below(images, adapted.cut)
    assert isinstance(features, Tensor), "images have no sequences"
    above = partial(network.above, cut=adapted.cut)
    return session, {
        "tensor": Way(lambda: features, above),
        "mapping": Way(lambda: Batch({FEATURES: features}), session.forward),
    }


def step(session: Session, way: Way, targets: Tensor) -> float:
    """One training step; the seconds it took."""
    session.forward = way.forward
    started = time.perf_counter()
    ending = train_epoch(session, [TrainingBatch(way.make(), targets, len(targets))])
    seconds = time.perf_counter() - started
    if ending is not None:
        raise RuntimeError(f"the training ended: {ending[1]}")
    return seconds


def compare(freeze: float, options: argparse.Namespace) -> dict[str, Any]:
    """One row."""
    session, both = ways(freeze, options.resolution, options.batch_size)
    targets = torch.arange(options.batch_size) % CLASSES
    turns: list[dict[str, float]] = []
    for turn in range(options.repeats + 2):
        order = list(both) if turn % 2 else list(both)[::-1]
        turns.append({name: step(session, both[name], targets) for name in order})
    ratios = [turn["mapping"] / turn["tensor"] for turn in turns[2:]]
    fastest = {name: min(turn[name] for turn in turns) for name in both}
    return {
        "frozen": freeze,
        "tensor_ms": 1e3 * statistics.median(turn["tensor"] for turn in turns[2:]),
        "mapping_ms": 1e3 * statistics.median(turn["mapping"] for turn in turns[2:]),
        "ratio": spread(ratios),
        "quartiles": statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios,
        "fastest": fastest["mapping"] / fastest["tensor"],
    }


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    if options.smoke:
        options.freeze, options.repeats = [0.75, 1.0], 2
    origin = provenance()
    results = [compare(freeze, options) for freeze in options.freeze]
    headers = ["frozen", "tensor ms", "mapping ms", "mapping ÷ tensor", "quartile", "quartile", "fastest", "met"]
    print(table(headers, [_row(one) for one in results]))
    print(json_line("batch_cost", origin, {"settings": vars(options), "target": TARGET, "results": results}))
    return 0


def _row(one: dict[str, Any]) -> list[Any]:
    low, *_, high = one["quartiles"]
    median = one["ratio"]["median"]
    return [one["frozen"], one["tensor_ms"], one["mapping_ms"], median, low, high, one["fastest"], median <= TARGET]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    shares = [0.0, 0.75, 1.0]
    add("--freeze", type=lambda text: [float(one) for one in text.split(",")], default=shares, help="default: 0,0.75,1")
    add("--resolution", type=int, default=32, help="pixels (default: 32)")
    add("--batch-size", type=int, default=64, help="images a step (default: 64)")
    add("--repeats", type=int, default=200, help="turns, after two that warm up (default: 200)")
    add("--smoke", action="store_true", help="two turns")
    return parser


if __name__ == "__main__":
    sys.exit(main())
