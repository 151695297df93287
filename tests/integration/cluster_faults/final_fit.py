"""A node is lost in the middle of the final fit: a real network, two workers, and no room for another one.

With ``drain``, the notice comes then, and the node is taken away when the fit has gone on elsewhere.
"""

import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
from three_nodes import ThreeNodes

from graft.core.storage import text_digest
from graft.data.dataset import Split
from graft.data.store import Origin, Rows, column_writers, write_rows
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit, fit_in_group
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state
from graft.workers.elastic import ElasticTimeouts, run_distributed
from graft.workers.groups.shape import GroupShape

EPOCHS, STEPS, BATCH = 3, 4, 8
# Epochs and further steps behind it when the node goes.
MIDDLE = (1, 2)
JOB = {
    "name": "fit",
    "data": {"kind": "digits"},
    "training": {"epochs": EPOCHS, "fit": {"min_workers": 1, "checkpoint_steps": 1}},
}
STRATEGY = Strategy(
    backbone="efficientnet_lite0", resolution=32, freeze=1.0, lr=0.01, batch_size=BATCH, augment="light"
)


def fit_with_a_stop(rank: Any, task: FitTask, place: Path) -> dict[str, Any]:
    """`fit_in_group`, which notes every state it saves; in the middle, the first attempt waits for its end, or for the
    notice.
    """
    from graft.learner import fit as module

    save, notice_of, told = module.save_state, module.leaving_notice, list[Any]()

    @contextlib.contextmanager
    def noted_notice(nodes: Any) -> Iterator[Any]:
        with notice_of(nodes) as notice:
            told.append(notice)
            yield notice

    def save_and_note(state: Any, path: Path) -> None:
        save(state, path)
        if path != task.state_file:
            return
        at = (state.epochs_done, state.partial.steps)
        with (place / "saved").open("a") as saved:
            saved.write(json.dumps([rank.attempt, rank.size, *at]) + "\n")
        if rank.attempt == 0 and at == MIDDLE:
            (place / "middle").touch()
            wait_for_the_notice() if (place / "drain").exists() else threading.Event().wait()

    def wait_for_the_notice() -> None:
        while not told[0].is_given():
            time.sleep(0.1)

    module.save_state, module.leaving_notice = save_and_note, noted_notice
    if rank.attempt:
        (place / "again").touch()
    (place / f"node-of-{rank.rank}").write_text(ray.get_runtime_context().get_node_id())
    return fit_in_group(rank, task)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, ThreeNodes(head_cpus=0) as nodes:
        place = Path(name)
        if is_drained := "drain" in sys.argv:
            (place / "drain").touch()
        write_dataset(place / "data")
        disturbed, undisturbed = task(place, "disturbed"), task(place, "undisturbed")
        result: list[Any] = []

        def run() -> None:
            shape = GroupShape(2, 1.0, placement="spread")
            given = (disturbed, place)
            result.append(run_distributed(fit_with_a_stop, given, shape, place, 1, 3, ElasticTimeouts(start_s=5.0)))

        running = threading.Thread(target=run, daemon=True)
        running.start()
        wait_for(place / "middle", running)
        node = (place / "node-of-0").read_text()  # that of rank 0, which saves the states
        if is_drained:
            nodes.drain(node, 600)
            wait_for(place / "again", running)
        nodes.lose(node)
        running.join()
        found = {
            "value": result[0].value,
            "starts": [start.workers for start in result[0].starts],
            "saved": [json.loads(line) for line in (place / "saved").read_text().splitlines()],
            "undisturbed": fit(undisturbed),
            **compared(disturbed, undisturbed),
        }
    sys.stdout.write(json.dumps(found))


def wait_for(path: Path, running: threading.Thread) -> None:
    while not path.exists():
        running.join(0.05)
        if not running.is_alive():
            raise SystemExit(f"the fit ended before it had made {path.name}")


def write_dataset(directory: Path) -> None:
    """Three classes of noise around their own colours; what is fitted is a whole number of batches."""
    directory.mkdir()
    storage, rng = StoredImages(32).spec(), np.random.default_rng(0)
    count = STEPS * BATCH
    labels = np.arange(count + 6) % 3
    splits = np.array([Split.TRAIN] * (count - 6) + [Split.VALIDATION] * 6 + [Split.TEST] * 6)
    colours = rng.integers(60, 200, (3, 1, 1, 3))
    images = np.clip(rng.normal(colours[labels], 40, (len(labels), 32, 32, 3)), 0, 255).astype(np.uint8)
    with column_writers(directory, storage) as writers:
        writers[PIXELS].append(images)
    ids = tuple(f"train/{number}" for number in range(len(labels)))
    digests = tuple(text_digest(one) for one in ids)
    origin = Origin("noise", ("a", "b", "c"), storage, task="classification", facts={"num_outputs": 3})
    write_rows(directory, Rows(ids, labels, splits, digests), origin)


def task(place: Path, name: str) -> FitTask:
    schedule = Schedule((Stretch(0, EPOCHS, STRATEGY),))
    return FitTask(FinalModel(parse_job(JOB), place / "data", schedule, place / name / "weights.safetensors"), 1, 2)


def compared(one: FitTask, other: FitTask) -> dict[str, Any]:
    """How far the weights of two fits are apart, and how far the second one has moved the first of its tensors."""
    mine, its = (load_state(fitted.model.weights).part("best") for fitted in (one, other))
    return {
        "same_tensors": sorted(mine) == sorted(its) and len(mine) > 0,
        "apart": max(float((mine[name] - its[name]).abs().max()) for name in mine),
        "left_over": [path.name for path in one.state_file.parent.iterdir() if path != one.model.weights],
    }


if __name__ == "__main__":
    main()
