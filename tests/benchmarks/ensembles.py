"""What a soup and an ensemble bring over the winner of a search, and what they cost.

A pool of strategies is trained as the trials of a search are: heads that are solved at two depths and sizes, parts of
the network, the whole of it. The *winner* is the best by its last epochs; the *soup* averages the weights of the
trials of its architecture (greedy; the winner where it is no better); *ensemble of k* is what `fit.ensemble: k`
selects, kept or not; *kept* is what a run would have: the ensemble of five where it is expected to gain enough
(`learner.ensemble.worth`). All were trained on the training rows alone (`final_on: train`). Differences are of test
accuracy on the same rows, with a paired bootstrap interval; `time` is milliseconds a sample, and `size` that of all
weights, over the winner's. One process, one thread, no Ray.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from paired import accuracy, difference
from reporting import json_line, provenance, table
from small.tables import SmallSet, write_small_set

EXAMPLE = """examples:
  python tests/benchmarks/ensembles.py --cache ~/.cache/graft --assets ASSETS --sets emoji,clip_art,deb_section
  python tests/benchmarks/ensembles.py --sets digits --train 120 --test 100 --epochs 2 --pool small
"""
SIZES = (2, 3, 5)
SOLVED = [
    {"freeze": 1.0, "head": head, "structure": {"keep": keep}} for keep in (1.0, 0.7) for head in ("logistic", "ridge")
]
IMAGE = [{**one, "resolution": side} for side in (96, 128) for one in SOLVED] + [
    {"freeze": freeze, "lr": lr, "resolution": 96, **more}
    for freeze, lr, more in (
        (0.75, 4e-3, {}),
        (0.5, 2e-3, {}),
        (0.5, 1e-3, {}),
        (0.0, 1e-3, {"augment": "light"}),
        (0.0, 2e-3, {"augment": "light"}),
    )
]
TEXT = [{**one, "max_tokens": most} for most in (64, 128) for one in SOLVED] + [
    {"freeze": freeze, "lr": lr, "head_lr_factor": 10.0, "batch_size": 16, "max_tokens": 64}
    for freeze, lr in ((0.83, 2e-4), (0.67, 2e-4), (0.67, 1e-4), (0.0, 5e-5), (0.0, 1e-4))
]
SMALL = [
    {"freeze": 1.0, "head": "ridge", "resolution": 32},
    *({"freeze": 1.0, "resolution": 32, "lr": lr} for lr in (1e-2, 5e-3)),
    {"freeze": 0.9, "resolution": 40, "lr": 5e-3},
]


def job_of(one: SmallSet, name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """A job whose search tries the whole pool first."""
    data: dict[str, Any] = {"kind": "image_folder", "path": str(one.folder), "seed": seed}
    if one.kind == "text":
        data = {
            "kind": "table",
            "path": str(one.path),
            "seed": seed,
            "text": "text",
            "label": "label",
            "split": "split",
        }
    pool = SMALL if options.pool == "small" else TEXT if one.kind == "text" else IMAGE
    trained = {} if one.kind == "text" else {"loss": {"kind": "cross_entropy", "label_smoothing": 0.1}}
    first = [way if "head" in way else {**way, **trained, "schedule": "one_cycle"} for way in pool]
    space = {"lr": {"loguniform": [1e-4, 1e-2]}, "freeze": {"choice": [0.0, 0.5, 1.0]}}
    training = {"epochs": options.epochs, "final_on": "train", "fit": {"soup": "greedy", "ensemble": "auto"}}
    search = {"seed": seed, "first": first}
    return {
        "version": 1, "name": "ensembles", "data": data, "task": "classification", "strategy": space,
        "training": training, "search": search,
    }  # fmt: skip


def run(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train the pool of one set, and compare what can be made of it."""
    from graft.data import ingest as module
    from graft.data.dataset import Split
    from graft.data.decoding.blocks import local_blocks
    from graft.learner.ensemble.members import Member, answer
    from graft.learner.soup import make_soup
    from graft.learner.training_data import training_data_of
    from graft.pipeline.resolve import resolve_job
    from graft.pipeline.stages.ingest import ingestion_of
    from graft.spec.load import parse_job

    module.decoded_blocks = local_blocks
    one = write_small_set(name, seed, options.cache, options.assets, (options.train, options.test))
    job = resolve_job(parse_job(job_of(one, name, seed, options))).job
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        dataset = module.ingest(ingestion_of(job), Path(made) / "datasets")
        members = _trained(job, dataset, Path(made))
        winner, data = members[0], training_data_of(job, dataset, 1)
        rows = data.arrays.rows(Split.TEST)
        targets = data.arrays.targets[rows]
        alike = [each for each in members if _is_alike(each, winner)]
        soup = replace(winner, model=replace(winner.model, weights=Path(made) / "soup.safetensors"))
        stirred = make_soup(soup.model, [each.model.weights for each in alike], "greedy", 1)
        ways: dict[str, Sequence[Member]] = {"winner": [winner], "soup": [soup if stirred["is_better"] else winner]}
        ways |= _ensembles(members)
        said = {way: answer(some, data, rows) for way, some in ways.items()}
        size = {way: sum(_bytes(each, dataset) for each in some) for way, some in ways.items()}
    answers = {way: found.outputs[0].argmax(dim=1).numpy() for way, found in said.items()}
    results = {}
    for way, found in said.items():
        gap = difference(accuracy, answers[way], answers["winner"], targets)
        results[way] = {
            "test": accuracy(answers[way], targets),
            "gain": gap.value,
            "low": gap.low,
            "high": gap.high,
            "time": found.seconds[0] / said["winner"].seconds[0],
            "ms": 1000 * found.seconds[0] / len(rows),
            "size": size[way] / size["winner"],
            "members": [[each.trial, each.share] for each in ways[way]],
        }
    return {"set": name, "seed": seed, "soup_of": stirred["used"], "alike": len(alike), "ways": results}


def _trained(job: Any, dataset: Any, place: Path) -> list[Any]:
    """All strategies of the pool, trained; the best by its last epochs first."""
    from graft.data.feature_store.key import data_fingerprint
    from graft.data.feature_store.store import FeatureStore
    from graft.experiments.standing.choice import steady_of
    from graft.learner.cached_features import FeatureCache
    from graft.learner.checkpoints import CheckpointStore
    from graft.learner.ensemble.members import Member
    from graft.learner.final_model import FinalModel
    from graft.learner.prefix import prefix_of
    from graft.learner.supervised import SupervisedFactory
    from graft.learner.training_data import training_data_of
    from graft.learner.trial import TrialPayload, train_proposal
    from graft.search.protocol import CheckpointEpochs, Proposal
    from graft.search.strategy_schedule import Schedule, Stretch
    from graft.training.world import ALONE

    wanted = frozenset(found for strategy in job.first if (found := prefix_of(strategy)) is not None)
    cache = FeatureCache(FeatureStore(place / "features", 10**10), data_fingerprint(dataset), wanted)
    store = CheckpointStore(place / "checkpoints")
    payload = TrialPayload(SupervisedFactory(training_data_of(job, dataset, 1, cache)), store, CheckpointEpochs())
    found = []
    for number, strategy in enumerate(job.first, start=1):
        trial, values, began = f"t{number:02d}", dict[int, float](), time.process_time()

        def on_report(epoch: int, metrics: Any, notes: Any, values: dict[int, float] = values) -> bool:
            values[epoch] = metrics["val/accuracy"]
            return True

        train_proposal(Proposal(trial, strategy, epochs=job.epochs), payload, ALONE, on_report)
        model = FinalModel(
            job, dataset.directory, Schedule((Stretch(0, job.epochs, strategy),)), store.best_file(trial)
        )
        found.append((steady_of(values), Member(model, trial=trial)))
        told = f"{trial} {strategy.label()}: {steady_of(values):.3f}, {time.process_time() - began:.0f} cpu s"
        print(told, file=sys.stderr, flush=True)
    return [member for _, member in sorted(found, key=lambda one: (-one[0], one[1].trial))]


def _ensembles(members: Sequence[Any]) -> dict[str, Sequence[Any]]:
    from graft.experiments.standing.candidates import MOST_CANDIDATES
    from graft.learner.ensemble.choice import choose_members

    known, ways = {one.trial: one for one in members}, dict[str, Sequence[Any]]()
    for most in SIZES:
        chosen = choose_members(members[:MOST_CANDIDATES], most, 1)
        ways[f"ensemble of {most}"] = [
            replace(known[one["trial"]], share=one["share"], facts=one["facts"]) for one in chosen["members"]
        ] or [members[0]]
    ways["kept"] = ways[f"ensemble of {SIZES[-1]}"] if chosen["is_kept"] else [members[0]]
    return ways


def _is_alike(one: Any, other: Any) -> bool:
    mine, theirs = one.model.strategy, other.model.strategy
    return bool(mine.architecture() == theirs.architecture() and mine.init == theirs.init)


def _bytes(member: Any, dataset: Any) -> int:
    from graft.learner.final_model import final_network

    network, _ = final_network(member.model, dataset, 1)
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def main() -> int:
    """Measure, and print."""
    import torch

    options, origin = _parser().parse_args(), provenance()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        options.cache = options.cache or Path(made)
        results = [run(name, seed, options) for name in options.sets for seed in options.seeds]
    rows = [
        [one["set"], one["seed"], way, found["test"], _interval(found), f"{found['time']:.1f}", f"{found['size']:.1f}"]
        for one in results
        for way, found in one["ways"].items()
    ]
    print(table(["set", "seed", "model", "test", "gain (95 %, paired)", "time", "size"], rows))
    means = [
        [name, way, *(f"{_mean(results, name, way, key):+.3f}" for key in ("gain",)),
         *(f"{_mean(results, name, way, key):.1f}" for key in ("time", "size"))]
        for name in options.sets for way in results[0]["ways"]
    ]  # fmt: skip
    print(table(["set", "model", "mean gain", "time", "size"], means))
    settings = {name: getattr(options, name) for name in ("train", "test", "epochs", "pool")}
    print(json_line("ensembles", origin, {"settings": settings, "results": results}))
    return 0


def _interval(found: dict[str, Any]) -> str:
    return f"{found['gain']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


def _mean(results: Sequence[dict[str, Any]], name: str, way: str, key: str) -> float:
    return statistics.mean(one["ways"][way][key] for one in results if one["set"] == name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cache", type=Path, help="directory of the sets")
    add("--assets", type=Path, default=Path("/"), help="where the packages of the pictures were unpacked (default: /)")
    add("--sets", type=lambda text: text.split(","), default=["emoji", "clip_art", "deb_section"])
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="default: 0")
    add("--train", type=int, default=500, help="most rows to train and validate on (default: 500)")
    add("--test", type=int, default=1000, help="most rows to test on (default: 1000)")
    add("--epochs", type=int, default=12, help="of what is trained (default: 12)")
    add("--pool", choices=["usual", "small"], default="usual", help="small: four strategies at 32 px, for a look")
    return parser


if __name__ == "__main__":
    sys.exit(main())
