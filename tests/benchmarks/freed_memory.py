"""What it gains that processes which train keep the memory that they free (`pipeline.ray_session.WORKER_ENVIRONMENT`).

Two processes compute the same, one with those variables and one without, by turns: whole training steps (forward, loss,
backward, AdamW) and passes without gradients, on one thread that is not the first of its process, as in a trial of Ray
Tune. The ratio is of the medians; page faults and the most memory are of the whole process.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from reporting import json_line, provenance, table

from graft.pipeline.ray_session import WORKER_ENVIRONMENT

EXAMPLE = """example:
  python tests/benchmarks/freed_memory.py --turns 3
"""
CLASSES = 10


@dataclass(frozen=True)
class Case:
    """What is computed.

    Attributes:
        backbone: its name.
        size: pixels of a side, or tokens.
        batch: samples at once.
    """

    backbone: str
    size: int
    batch: int


CASES = (
    Case("efficientnet_lite0", 32, 32),
    Case("efficientnet_lite0", 64, 32),
    Case("efficientnet_lite0", 128, 32),
    Case("efficientnet_lite0", 128, 64),
    Case("efficientnet_lite0", 160, 32),
    Case("minilm_l6", 64, 32),
    Case("minilm_l6", 128, 32),
)


def measure(case: Case, steps: int) -> dict[str, float]:
    """Milliseconds a sample, of a training step and of a pass, in this process."""
    import torch

    from graft.models.load import load_backbone

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = load_backbone(case.backbone, case.size).backbone.to(memory_format=torch.channels_last)
    head = torch.nn.Linear(network.num_features, CLASSES)
    if case.backbone == "minilm_l6":
        ids = torch.randint(1000, 20_000, (case.batch, case.size))
        given: Any = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    else:
        images = torch.randn(case.batch, 3, case.size, case.size)
        given = {"pixels": images.contiguous(memory_format=torch.channels_last)}
    targets = torch.randint(0, CLASSES, (case.batch,))
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], 1e-3, fused=True)

    def train() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(network(given)), targets).backward()
        optimizer.step()

    def judge() -> None:
        with torch.inference_mode():
            head(network(given))

    found = {}
    for name, mode, step in (("train", True, train), ("pass", False, judge)):
        network.train(mode)
        seconds = []
        for _ in range(steps + 1):
            began = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - began)
        found[name] = 1e3 * statistics.median(seconds[1:]) / case.batch
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {**found, "faults": used.ru_minflt, "most_mb": used.ru_maxrss / 1024}


def in_a_process(place: int, steps: int, keeps: bool) -> dict[str, float]:
    """The same in a new one, which keeps what it frees, or not."""
    environment = {name: value for name, value in os.environ.items() if name not in WORKER_ENVIRONMENT}
    command = [sys.executable, __file__, "--child", str(place), "--steps", str(steps)]
    more = WORKER_ENVIRONMENT if keeps else {}
    done = subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(place: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row."""
    turns = [
        {keeps: in_a_process(place, options.steps, keeps) for keeps in (False, True)} for _ in range(options.turns)
    ]
    medians = {
        keeps: {name: statistics.median(turn[keeps][name] for turn in turns) for name in turns[0][keeps]}
        for keeps in (False, True)
    }
    return {"case": vars(CASES[place]), "gives_back": medians[False], "keeps": medians[True]}


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    if options.child is not None:
        thread = threading.Thread(target=lambda: print(json.dumps(measure(CASES[options.child], options.steps))))
        thread.start()
        thread.join()
        return 0
    places = range(1) if options.smoke else range(len(CASES))
    if options.smoke:
        options.turns = options.steps = 1
    origin = provenance()
    results = [compare(place, options) for place in places]
    headers = ["backbone", "size", "batch", "train ms", "kept", "ratio", "pass ms", "kept", "ratio", "MB", "kept"]
    print(table(headers, [_row(one) for one in results]))
    print(json_line("freed_memory", origin, {"settings": vars(options), "results": results}))
    return 0


def _row(one: dict[str, Any]) -> list[Any]:
    before, since = one["gives_back"], one["keeps"]
    cells = [cell for name in ("train", "pass") for cell in (before[name], since[name], since[name] / before[name])]
    return [*one["case"].values(), *cells, before["most_mb"], since["most_mb"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--turns", type=int, default=3, help="processes of each kind, a median of which counts (default: 3)")
    add("--steps", type=int, default=6, help="steps in each, after one that warms up (default: 6)")
    add("--child", type=int, help=argparse.SUPPRESS)
    add("--smoke", action="store_true", help="one step of one case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
