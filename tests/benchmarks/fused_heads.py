"""Whether training heads together pays here: seconds of an epoch of K heads, together and one after the other.

Both train the same K heads (learning rates differ) on the same random features through graft's own sessions, in this
process, taking turns; what is left out is all that they would do alike (validation, reports, checkpoints). `together ÷
one by one` below 1 means that it pays. Features are 1,280 numbers an image as those of EfficientNet-Lite0.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from reporting import json_line, provenance, spread, table
from torch import nn
from torch.nn import functional

from graft.data.batch import FEATURES, Batch
from graft.data.batches import TrainingBatch
from graft.models.backbone import Backbone
from graft.models.network import Network, build_head
from graft.spec.strategy import Strategy
from graft.training.fused_heads import train_epoch_together
from graft.training.loop import Session, TrainingPlan, prepare, train_epoch
from graft.transfer.adapt import adapt

EXAMPLE = """example:
  python tests/benchmarks/fused_heads.py --heads 4,16 --rows 1000 --repeats 2
"""
WIDTH, CLASSES = 1280, 10
HEADS = {"linear": "linear", "mlp": {"kind": "mlp", "width": 256, "dropout": 0.2}}


def make_session(head: str, lr: float, rows: int, batch_size: int, device: str) -> Session:
    """A head to be trained on features."""
    strategy = Strategy.model_validate({"freeze": 1.0, "lr": lr, "head": HEADS[head], "batch_size": batch_size})
    backbone = Backbone(nn.Identity(), [nn.Identity()], nn.Flatten(), WIDTH)
    network = Network(backbone, build_head(strategy.head, WIDTH, CLASSES))
    plan = TrainingPlan(strategy, epochs=10_000, seed=0, device=device)
    session = prepare(adapt(network, strategy, 0), plan, -(-rows // batch_size), functional.cross_entropy)
    return session


class Batches:
    """Shuffled batches of random features on a device."""

    def __init__(self, rows: int, batch_size: int, device: str) -> None:
        generator = torch.Generator().manual_seed(0)
        self._features = torch.randn(rows, WIDTH, generator=generator).to(device)
        self._labels = (torch.arange(rows) % CLASSES).to(device)
        self._batch_size = batch_size

    def epoch(self, seed: int) -> Iterator[TrainingBatch]:
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(self._labels))).to(self._labels.device)
        for rows in order.split(self._batch_size):
            yield TrainingBatch(Batch({FEATURES: self._features[rows]}), self._labels[rows], len(rows))


def one_by_one(sessions: Sequence[Session], batches: Batches) -> float:
    """Seconds of an epoch of all."""
    started = time.perf_counter()
    for place, session in enumerate(sessions):
        train_epoch(session, batches.epoch(place))
    return _end(sessions, started)


def together(sessions: Sequence[Session], batches: Batches) -> float:
    """Seconds of an epoch of all."""
    started = time.perf_counter()
    train_epoch_together(sessions, [batches.epoch(place) for place in range(len(sessions))])
    return _end(sessions, started)


def _end(sessions: Sequence[Session], started: float) -> float:
    if sessions[0].device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    for session in sessions:
        session.finish_epoch({"train/loss": session.partial.loss})
    return seconds


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    origin = provenance()
    torch.set_num_threads(options.threads)
    batches = Batches(options.rows, options.batch_size, options.device)
    results = [compare(head, count, batches, options) for head in HEADS for count in options.heads]
    headers = ["head", "heads", "one by one s", "together s", "together ÷ one by one", "min", "max"]
    print(table(headers, [_row(one) for one in results]))
    print(json_line("fused_heads", origin, {"settings": vars(options), "results": results}))
    return 0


def compare(head: str, count: int, batches: Batches, options: argparse.Namespace) -> dict[str, Any]:
    """One row: the ways take turns, so that a disturbance meets both."""
    rates = [1e-3 * (1 + place) for place in range(count)]
    alone, fused = (
        [make_session(head, rate, options.rows, options.batch_size, options.device) for rate in rates] for _ in range(2)
    )
    turns = [(one_by_one(alone, batches), together(fused, batches)) for _ in range(options.repeats + 1)]
    kept = turns[1:]  # the first warms up
    return {
        "head": head,
        "heads": count,
        "one by one": spread([first for first, _ in kept]),
        "together": spread([second for _, second in kept]),
        "ratio": spread([second / first for first, second in kept]),
    }


def _row(one: dict[str, Any]) -> list[Any]:
    ratio = one["ratio"]
    seconds = one["one by one"]["median"], one["together"]["median"]
    return [one["head"], one["heads"], *seconds, ratio["median"], ratio["min"], ratio["max"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--heads", type=_counts, default=[1, 4, 16, 32], help="how many at once (default: 1,4,16,32)")
    add("--rows", type=int, default=5000, help="training rows (default: 5000)")
    add("--batch-size", type=int, default=64, help="samples a step (default: 64)")
    add("--repeats", type=int, default=5, help="epochs of each, after one that warms up (default: 5)")
    add("--threads", type=int, default=1, help="of torch (default: 1)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: a GPU if there is one")
    return parser


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
