"""Meta-training on letters of many scripts: 5-way and 20-way tasks of one script that nothing was trained on.

Trained on training scripts only; an eighth of them is held out, and the weight of the map beside the network is chosen
there. What is printed is of the validation scripts, 600 tasks, never transductive: a query is answered by itself. A map
on frozen features, a network of one's own from scratch (letters turned by 90° are other classes), and both side by side
have the seconds that are given, of one processor; features are made before. MAML and ANIL have their own; prototypes of
frozen features stand beside them. `vmap / loop`: tasks a second of five inner steps, mapped over or one after another.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from glyph_tasks.letters import Letters, letters
from reporting import json_line, provenance, table
from torch import Tensor
from torch.nn import functional

from graft.episodes.adapters.anil import Anil
from graft.episodes.adapters.inner_loop import InnerSteps
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.protocol import Adapter
from graft.episodes.adapters.prototypes import Prototypes
from graft.episodes.evaluator import Score, evaluate
from graft.episodes.meta_learner import settle
from graft.episodes.objective import MetaLoss, Over
from graft.episodes.samples import FEATURES, RAW, Samples
from graft.episodes.starts.concatenation import Concatenation
from graft.episodes.starts.feature_map import FeatureMap
from graft.episodes.starts.frozen import FrozenFeatures
from graft.episodes.starts.network import OwnNetwork
from graft.episodes.starts.protocol import Start
from graft.episodes.task_source import EpisodeShape, TaskSource

EXAMPLE = """example:
  python tests/benchmarks/glyphs.py --cache ~/.cache/graft-glyphs --seeds 0,1,2
"""
BACKBONE, PIXELS, BATCH = "mobilenet_v2", 64, 256
WIDTH, QUERIES, TURNS = 256, 5, 4
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7)
PROTOCOLS = ((5, 1), (5, 5), (20, 1))


@dataclass(frozen=True)
class Sides:
    """Samples by what their scripts are for."""

    training: Samples
    held_out: Samples
    validation: Samples


def features_of(grids: np.ndarray, cache: Path) -> Tensor:
    """Frozen features, float16 [N, F]; made once."""
    from graft.models.load import load_backbone

    file = cache / f"{BACKBONE}-{PIXELS}-{len(grids)}.npy"
    if not file.exists():
        loaded = load_backbone(BACKBONE, PIXELS)
        mean, deviation = (torch.tensor(one)[:, None, None] for one in (loaded.info.input.mean, loaded.info.input.std))
        found = []
        with torch.inference_mode():
            for first in range(0, len(grids), BATCH):
                paper = 1 - torch.from_numpy(grids[first : first + BATCH]).float().div(255)[:, None]
                large = functional.interpolate(paper, size=(PIXELS, PIXELS), mode="bilinear").expand(-1, 3, -1, -1)
                found.append(loaded.backbone.eval()((large - mean) / deviation).half().numpy())
        np.save(file, np.concatenate(found))
    return torch.from_numpy(np.load(file))


def sides_of(found: Letters, cache: Path) -> Sides:
    """Every eighth training script is held out."""
    rows = np.flatnonzero(found.splits != "test")
    inputs = {FEATURES: features_of(found.grids[rows], cache), RAW: found.grids[rows]}
    samples = Samples.of(inputs, found.labels[rows], found.scripts[rows])
    splits = found.splits[rows]
    held = np.isin(samples.groups, np.unique(samples.groups[splits == "train"])[::8])
    is_training = splits == "train"
    return Sides(samples.some(is_training & ~held), samples.some(is_training & held), samples.some(splits == "val"))


def turned(samples: Samples) -> Samples:
    """The raw samples, and each turned by 90°, 180° and 270° as another class of another group."""
    raw, count, groups = samples.inputs[RAW], samples.labels.max() + 1, samples.groups.max() + 1
    return Samples(
        {RAW: torch.cat([torch.rot90(raw, turn, (1, 2)) for turn in range(TURNS)])},
        np.concatenate([samples.labels + turn * count for turn in range(TURNS)]),
        np.concatenate([samples.groups + turn * groups for turn in range(TURNS)]),
    )


def trained(loss: MetaLoss, source: TaskSource, seconds: float, lr: float, tasks: int = 1) -> dict[str, float]:
    """Train for so many seconds of the processor, the rate falling along a cosine."""
    optimizer = torch.optim.AdamW(loss.parameters(), lr, weight_decay=1e-3)
    settle(loss, source)
    loss(source.batch(0, tasks)).backward()  # what torch imports at the first step is not training
    loss.train()
    began, step = time.process_time(), 0
    while (used := time.process_time() - began) < seconds:
        for group in optimizer.param_groups:
            group["lr"] = lr * (0.49 * (1 + np.cos(np.pi * used / seconds)) + 0.02)
        optimizer.zero_grad()
        loss(source.batch(step, tasks)).backward()
        torch.nn.utils.clip_grad_norm_(loss.parameters(), 10.0)
        optimizer.step()
        step += 1
    settle(loss, source)
    loss.eval()
    return {"steps": step, "tasks": step * tasks, "cpu_s": round(time.process_time() - began, 1)}


def scored(
    start: Start, adapter: Adapter, samples: Samples, episodes: int, protocols: Any = PROTOCOLS, within: float = 1.0
) -> dict[str, Score]:
    """Accuracy on tasks of one script, or of all together."""
    found = {}
    for ways, shots in protocols:
        source = TaskSource(samples, EpisodeShape(ways, (shots,), QUERIES, within), seed=0, checked=True)
        found[f"{ways}w{shots}s"] = evaluate(start, adapter, source, episodes)
    return found


def metrics(sides: Sides, options: argparse.Namespace) -> dict[str, Any]:
    """Prototypes of frozen features, of the map, of the network, and of both."""
    width, shape = sides.training.inputs[FEATURES].shape[1], EpisodeShape(options.ways, (1,), QUERIES, 0.6)
    frozen, map_, own = (
        FrozenFeatures(width),
        FeatureMap(width, WIDTH),
        OwnNetwork(sides.training.inputs[RAW].shape[1:]),
    )
    features = sides.training.only_view(FEATURES, sides.training.inputs[FEATURES])
    told = {}
    frozen.settle(features.at(np.arange(0, len(features), 20)))
    for name, start, samples, seconds, lr in (
        ("map", map_, features, options.map_seconds, 1e-3),
        ("network", own, turned(sides.training), options.network_seconds, 2e-3),
    ):
        adapter = Prototypes("cosine" if name == "map" else "euclidean")
        told[name] = trained(MetaLoss(start, adapter), TaskSource(samples, shape, checked=True), seconds, lr)
    weight = _weight(map_, own, sides, options.episodes)
    both = _both(map_, own, weight, sides)
    starts = {"frozen": frozen, "map": map_, "network": own, "both": both}
    scores = {name: scored(one, Prototypes(), sides.validation, options.episodes) for name, one in starts.items()}
    return {"scores": scores, "training": told, "weight": weight}


def _both(map_: Start, own: Start, weight: float, sides: Sides) -> Concatenation:
    both = Concatenation([map_, own], [weight, 1 - weight]).eval()
    for place, part in enumerate((map_, own)):
        some = sides.training.at(np.arange(0, len(sides.training), 20))
        getattr(both, f"mean{place}").copy_(part.embed(some).mean(dim=0))
    return both


def _weight(map_: Start, own: Start, sides: Sides, episodes: int) -> float:
    """The one that is best on scripts that are held out of the training ones."""

    def score(weight: float) -> float:
        start = _both(map_, own, weight, sides)
        return scored(start, Prototypes(), sides.held_out, episodes, PROTOCOLS[:1])["5w1s"].accuracy

    return max(WEIGHTS, key=score)


def by_gradient(sides: Sides, options: argparse.Namespace) -> dict[str, Any]:
    """MAML and ANIL from scratch, with mixed shots; judged by the moments of the support."""
    shape, found = EpisodeShape(5, (1, 2, 5), QUERIES, 0.6), {}
    source = TaskSource(turned(sides.training), shape, checked=True)
    makers: dict[str, Callable[[Start], Adapter]] = {
        "maml": lambda start: Maml(start, InnerSteps(1, 0.1, True), own_rates=True),
        "anil": lambda start: Anil(start.width, InnerSteps(3, 0.1)),
    }
    for name, make in makers.items():
        start = OwnNetwork(sides.training.inputs[RAW].shape[1:])
        adapter = make(start)
        told = trained(MetaLoss(start, adapter), source, options.gradient_seconds, 2e-3, options.tasks)
        found[name] = {"scores": scored(start, adapter, sides.validation, options.episodes, PROTOCOLS[:2]), **told}
    return found


def omniglot(sides: Sides, options: argparse.Namespace) -> dict[str, Any]:
    """The protocol of Omniglot: Conv4 from scratch, classes of all scripts together, turned letters as classes or not.

    Turned ones (Santoro and others, ICML 2016) are classes of training and of the tasks that are judged. No query sees
    another: published figures (MAML 98.7 at 5w1s, Prototypical Networks 98.8) are of larger budgets, MAML's with the
    moments of all queries together.
    """
    found = {}
    for name, change in (("unturned", lambda one: one), ("turned", turned)):
        training, judged = change(sides.training), change(sides.validation)
        for method, ways in (("prototypes", options.ways), ("maml", 5)):
            start = OwnNetwork(training.inputs[RAW].shape[1:])
            inner = InnerSteps(1, 0.1, True)
            adapter = Prototypes("euclidean") if method == "prototypes" else Maml(start, inner, own_rates=True)
            shots, tasks = ((1,), 1) if method == "prototypes" else ((1, 2, 5), options.tasks)
            source = TaskSource(training, EpisodeShape(ways, shots, QUERIES, 0.0), checked=True)
            told = trained(MetaLoss(start, adapter), source, options.omniglot_seconds, 2e-3, tasks)
            scores = scored(start, adapter, judged, options.episodes, within=0.0)
            found[f"{method}, {name}"] = {"scores": scores, **told}
    return found


def mapped_over(sides: Sides, options: argparse.Namespace) -> dict[str, float]:
    """Tasks a CPU second of second-order MAML with five inner steps."""
    source = TaskSource(sides.training, EpisodeShape(5, (1,), QUERIES, 1.0), checked=True)
    found: dict[str, float] = {}
    batch = source.batch(0, 16)
    ways: tuple[Over, ...] = ("vmap", "loop")
    for over in ways:
        start = OwnNetwork(sides.training.inputs[RAW].shape[1:])
        loss = MetaLoss(start, Maml(start, InnerSteps(5, 0.1), from_prototypes=False), over)
        loss(batch).backward()
        began, count = time.process_time(), 0
        while time.process_time() - began < options.speed_seconds:
            loss(batch).backward()
            count += 16
        found[over] = count / (time.process_time() - began)
    return {**found, "ratio": found["vmap"] / found["loop"]}


def run(sides: Sides, options: argparse.Namespace) -> dict[str, Any]:
    """All seeds; the table, and the figures."""
    runs: list[dict[str, Any]] = []
    for seed in options.seeds:
        torch.manual_seed(seed)
        one: dict[str, Any] = {"seed": seed}
        if "metric" in options.parts:
            one |= metrics(sides, options)
        if "gradient" in options.parts:
            one["gradient"] = by_gradient(sides, options)
        if "omniglot" in options.parts:
            one["omniglot"] = omniglot(sides, options)
        runs.append(one)
    speed = mapped_over(sides, options) if "speed" in options.parts else {}
    rows = [[name, *_cells(scores)] for name, scores in _by_name(runs).items()]
    print(table(["start", "5w1s", "±", "5w5s", "20w1s"], rows))
    return {"runs": [_plain(one) for one in runs], "vmap_over_loop": speed}


def _by_name(runs: list[dict[str, Any]]) -> dict[str, list[dict[str, Score]]]:
    found: dict[str, list[dict[str, Score]]] = {}
    for one in runs:
        parts = {**one.get("gradient", {}), **one.get("omniglot", {})}
        for name, scores in {**one.get("scores", {}), **{name: told["scores"] for name, told in parts.items()}}.items():
            found.setdefault(name, []).append(scores)
    return found


def _cells(scores: list[dict[str, Score]]) -> list[str | None]:
    def mean(protocol: str) -> str | None:
        values = [one[protocol].accuracy for one in scores if protocol in one]
        return f"{statistics.mean(values):.3f}" if values else None

    return [
        mean("5w1s"),
        f"{statistics.mean(one['5w1s'].half_width for one in scores):.3f}",
        mean("5w5s"),
        mean("20w1s"),
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Score):
        return [round(value.accuracy, 4), round(value.half_width, 4)]
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def main() -> int:
    options = _parser().parse_args()
    torch.set_num_threads(1)
    sides = sides_of(letters(options.cache), options.cache)
    print(json_line("glyphs", provenance(), run(sides, options)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cache", type=Path, default=Path("glyphs-cache"), help="directory of fonts, letters and features")
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="of weights (default: 0)")
    add("--parts", type=lambda text: text.split(","), default=["metric", "gradient", "speed"], help="what is measured")
    add("--map-seconds", type=float, default=40.0, help="of a processor, for the map (default: 40)")
    add("--network-seconds", type=float, default=75.0, help="for the network (default: 75)")
    add("--gradient-seconds", type=float, default=45.0, help="for MAML, and for ANIL (default: 45)")
    add("--omniglot-seconds", type=float, default=450.0, help="for each of four trainings (default: 450)")
    add("--speed-seconds", type=float, default=5.0, help="for each of vmap and loop (default: 5)")
    add("--episodes", type=int, default=600, help="tasks that are judged on (default: 600)")
    add("--ways", type=int, default=20, help="of training tasks (default: 20)")
    add("--tasks", type=int, default=8, help="tasks a step by gradient (default: 8)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
