"""Recurrent layers over an encoder's word embeddings beside the encoder: cost of a text, and accuracy on a table.

One process, one thread; times are CPU milliseconds a text, of texts that all have `--tokens` tokens. With `--table` (of
text, label and split, as `text_sets.py` writes it) each is fine-tuned as a whole, by AdamW with one cycle, once a seed.
"""

import argparse
import csv
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import json_line, provenance, spread, table
from torch import Tensor, nn
from torch.nn import functional

from graft.modalities.text.tokenizer import load_tokenizer
from graft.models.load import LoadedBackbone, load_backbone
from graft.models.structure.stages import stages_of

EXAMPLE = """example:
  python tests/benchmarks/recurrent.py --table ~/.cache/graft-texts/deb_section-2000-1500-0.csv --seeds 0,1,2
"""
NAMES = ("minilm_l6", "gru:minilm_l6", "lstm:minilm_l6")
# Layers that start at random take a higher rate than those of an encoder that knows its language.
PLANS = {"minilm_l6": (3, 1e-4), "gru:minilm_l6": (8, 3e-3), "lstm:minilm_l6": (8, 3e-3)}
BATCH = 32


def cost(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A row: parameters, arithmetic, and times of a forward pass and of a step."""
    loaded = load_backbone(name)
    ids = torch.randint(1000, 20_000, (BATCH, options.tokens), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    given = {key: value for key, value in batch.items() if key in loaded.info.input.names}
    timed: dict[str, list[float]] = {"forward": [], "step": []}
    for _ in range(options.repeats + 1):
        started = time.process_time()
        with torch.inference_mode():
            loaded.backbone(given)
        passed = time.process_time()
        loaded.backbone(given).sum().backward()
        timed["forward"].append((passed - started) / BATCH * 1000)
        timed["step"].append((time.process_time() - passed) / BATCH * 1000)
    arithmetic = sum(stage.cost.multiply_adds for stage in stages_of(loaded.info.architecture, options.tokens))
    medians = {key: round(spread(values[1:])["median"], 2) for key, values in timed.items()}
    return {"backbone": name, "params": loaded.info.num_params, "multiply_adds": arithmetic, **medians}


def accuracy(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The whole network fine-tuned on the training rows of a table, and its share of right test rows."""
    with options.table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels = sorted({row["label"] for row in rows})
    train, test = ([row for row in rows if row["split"] == split] for split in ("train", "test"))
    torch.manual_seed(seed)
    loaded = load_backbone(name)
    network = nn.ModuleDict({"backbone": loaded.backbone, "head": nn.Linear(loaded.info.num_features, len(labels))})
    epochs, rate = PLANS[name]
    steps = epochs * (len(train) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1)
    random, started = np.random.default_rng(seed), time.process_time()
    orders = [random.permutation(len(train))[: len(train) // BATCH * BATCH] for _ in range(epochs)]
    network.train()
    for order in np.concatenate(orders).reshape(steps, BATCH):
        some = [train[row] for row in order]
        loss = functional.cross_entropy(_scores(network, loaded, some, options.tokens), _numbers_of(some, labels))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    seconds = time.process_time() - started
    network.eval()
    with torch.inference_mode():
        parts = [test[start : start + 2 * BATCH] for start in range(0, len(test), 2 * BATCH)]
        right = sum(
            int((_scores(network, loaded, some, options.tokens).argmax(1) == _numbers_of(some, labels)).sum())
            for some in parts
        )
    return {"backbone": name, "seed": seed, "accuracy": round(right / len(test), 4), "cpu_seconds": round(seconds, 1)}


def _numbers_of(rows: list[dict[str, str]], labels: list[str]) -> Tensor:
    return torch.tensor([labels.index(row["label"]) for row in rows])


def _scores(network: nn.ModuleDict, loaded: LoadedBackbone, rows: list[dict[str, str]], most: int) -> Tensor:
    scores: Tensor = network["head"](network["backbone"](_batch(loaded, [row["text"] for row in rows], most)))
    return scores


def _batch(loaded: LoadedBackbone, texts: list[str], most: int) -> Mapping[str, Tensor]:
    given = loaded.info.input
    tokens, _ = load_tokenizer(given.tokenizer.path(), given.digest).encode(texts, most)
    numbers = [torch.from_numpy(one.astype(np.int64)) for one in tokens]
    ids = nn.utils.rnn.pad_sequence(numbers, batch_first=True, padding_value=given.pad_token)
    ends = torch.tensor([len(one) for one in numbers])[:, None]
    mask = (torch.arange(ids.shape[1]) < ends).long()
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: value for name, value in batch.items() if name in given.names}


def main() -> int:
    """Measure, print."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    origin, settings = provenance(), {**vars(options), "table": str(options.table)}
    costs = [cost(name, options) for name in options.backbones]
    print(table(list(costs[0]), [list(one.values()) for one in costs]))
    reached = []
    if options.table is not None:
        reached = [accuracy(name, seed, options) for seed in options.seeds for name in options.backbones]
        print(table(list(reached[0]), [list(one.values()) for one in reached]))
    print(json_line("recurrent", origin, {"settings": settings, "results": [*costs, *reached]}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--backbones", type=lambda text: text.split(","), default=list(NAMES), help=f"default: {','.join(NAMES)}")
    add("--tokens", type=int, default=64, help="of a text, at most (default: 64)")
    add("--repeats", type=int, default=5, help="of each time, after one that warms up (default: 5)")
    add("--table", type=Path, help="CSV of text, label and split to fine-tune on")
    add("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0], help="default: 0")
    return parser


if __name__ == "__main__":
    sys.exit(main())
