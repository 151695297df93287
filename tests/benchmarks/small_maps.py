"""What `suit_small_maps` is worth: a training step with torch's own convolutions, and one with it.

One process, one thread unless told otherwise, random images; the two ways take turns, and a ratio is of neighbours in
time. A network that is frozen up to a cut is trained from there, as trials on stored features are; `frozen 0` trains
all of it. `torch ÷ graft` above 1 means that it pays.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from reporting import json_line, provenance, spread, table
from torch import nn
from torch.nn import functional

from graft.modalities.image.backbones.small_maps import suit_small_maps
from graft.models.backbone import Backbone, cut_index
from graft.models.load import load_backbone

EXAMPLE = """example:
  python tests/benchmarks/small_maps.py --backbones mobilenet_v2 --resolutions 32,64 --repeats 3
"""
CLASSES = 10


def step_of(backbone: Backbone, freeze: float, resolution: int, batch: int) -> Callable[[], float]:
    """A training step above the cut on random images; it gives the seconds it took."""
    cut = cut_index(freeze, len(backbone.blocks))
    network = backbone.to(memory_format=torch.channels_last).requires_grad_(False).eval()
    trained = nn.ModuleList([*list(network.blocks)[cut:], *([] if cut else [network.stem])])
    trained.requires_grad_(True).train()
    head = nn.Linear(backbone.num_features, CLASSES)
    images = torch.randn(batch, 3, resolution, resolution).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        inputs = network.below(images, cut) if cut else images
    labels = torch.arange(batch) % CLASSES
    optimizer = torch.optim.AdamW([*trained.parameters(), *head.parameters()], lr=1e-4, fused=True)

    def step() -> float:
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        features = network.above(inputs, cut) if cut else network(inputs)
        functional.cross_entropy(head(features), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return time.perf_counter() - started

    return step


def compare(name: str, resolution: int, freeze: float, options: argparse.Namespace) -> dict[str, Any]:
    """One row."""
    plain = load_backbone(name, resolution).backbone
    suited = copy.deepcopy(plain)
    suit_small_maps(suited)
    steps = [step_of(network, freeze, resolution, options.batch_size) for network in (plain, suited)]
    turns = [(steps[0](), steps[1]()) for _ in range(options.repeats + 2)][2:]
    return {
        "backbone": name,
        "resolution": resolution,
        "frozen": freeze,
        "torch_ms": 1e3 * spread([first for first, _ in turns])["median"],
        "graft_ms": 1e3 * spread([second for _, second in turns])["median"],
        "ratio": spread([first / second for first, second in turns]),
    }


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    origin = provenance()
    torch.set_num_threads(options.threads)
    results = [
        compare(name, resolution, freeze, options)
        for name in options.backbones
        for resolution in options.resolutions
        for freeze in options.freeze
    ]
    headers = ["backbone", "px", "frozen", "torch ms", "graft ms", "torch ÷ graft", "min", "max"]
    print(table(headers, [_row(one) for one in results]))
    print(json_line("small_maps", origin, {"settings": vars(options), "results": results}))
    return 0


def _row(one: dict[str, Any]) -> list[Any]:
    ratio = one["ratio"]
    what = one["backbone"], one["resolution"], one["frozen"]
    return [*what, one["torch_ms"], one["graft_ms"], ratio["median"], ratio["min"], ratio["max"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    default = ["efficientnet_lite0", "efficientnet_lite1", "mobilenet_v2"]
    add("--backbones", type=lambda text: text.split(","), default=default, help=f"default: {','.join(default)}")
    add("--resolutions", type=_numbers(int), default=[32, 64, 128], help="pixels (default: 32,64,128)")
    add("--freeze", type=_numbers(float), default=[0.0, 0.5, 0.75], help="frozen shares (default: 0,0.5,0.75)")
    add("--batch-size", type=int, default=64, help="images a step (default: 64)")
    add("--repeats", type=int, default=10, help="steps of each, after two that warm up (default: 10)")
    add("--threads", type=int, default=1, help="of torch (default: 1)")
    return parser


def _numbers(kind: type) -> Callable[[str], list[Any]]:
    return lambda text: [kind(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
