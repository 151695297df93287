"""Seconds to predict texts with an ensemble of two heads on one frozen backbone.

Bundles of two members each, whose heads are random: *equal* has one backbone twice; *a value apart* differs in one
value of its embeddings, so that each member needs a pass of its own, as all did before passes were shared; *two depths*
reads one backbone at two depths. All are asked in turn in one process with one thread, so that other work on the
machine slows down all alike; *one member* is the first of them alone. Texts are words of MiniLM's vocabulary.
"""

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import json_line, provenance, spread, table

from graft.modalities.registry import build_modality
from graft.modalities.text.tokenizer import tokenizer_of
from graft.models.bundle import BundleSpec, EnsembleSpec, MemberBundle, write_bundle
from graft.models.load import load_backbone
from graft.models.network import Network, head_of
from graft.models.structure.edited import edited
from graft.serving.predictor import Predictor
from graft.spec.components.structure import Structure
from graft.spec.modalities.text import TextPreprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification

EXAMPLE = """example:
  python tests/benchmarks/members_together.py --texts 1000 --repeats 5
"""
BACKBONE, LABELS, TOKENS = "minilm_l6", ("bad", "good", "so so"), 64
WHOLE, UPPER_LEFT_OUT = Structure(), Structure(keep=0.67)


def part(structure: Structure, apart: float) -> tuple[Network, BundleSpec, Mapping[str, bytes]]:
    """A network with a random head, what its bundle says of it, and its tokenizer."""
    loaded = load_backbone(BACKBONE, TOKENS)
    given, strategy = loaded.info.input, Strategy(backbone=BACKBONE, freeze=1.0, structure=structure)
    backbone = edited(copy.deepcopy(loaded.backbone), structure, loaded.info.architecture)
    network = Network(backbone, head_of(strategy, backbone, len(LABELS)))
    with torch.no_grad():
        next(backbone.stem.parameters()).view(-1)[0] += apart
    preprocessing = TextPreprocessing(
        tokenizer=given.digest, tokenizer_of=BACKBONE, column="tokens", max_tokens=TOKENS, pad_token=given.pad_token,
        inputs=given.names,
    )  # fmt: skip
    facts = {"num_outputs": len(LABELS)}
    spec = BundleSpec(
        name="texts", architecture=loaded.info.architecture, strategy=strategy, modality="text", task=Classification(),
        names=LABELS, facts=facts, num_outputs=len(LABELS), preprocessing=preprocessing,
    )  # fmt: skip
    return network, spec, build_modality("text").bundle_files(preprocessing, loaded.info)


def bundle(directory: Path, structure: Structure | None, apart: float) -> Path:
    """A bundle of a whole backbone under a head; with a second member unless its structure is None."""
    network, spec, files = part(WHOLE, 0.0)
    if structure is None:
        write_bundle(directory, network, spec, files)
        return directory
    spec = spec.model_copy(update={"ensemble": EnsembleSpec(share=0.5, facts=dict(spec.facts))})
    other, its, besides = part(structure, apart)
    write_bundle(directory, network, spec, files, [MemberBundle("t02", 0.5, other, its, besides)])
    return directory


def texts(count: int, words: int) -> list[str]:
    """Words of the vocabulary at random, from a few to twice as many as asked for on average."""
    _, spec, files = part(WHOLE, 0.0)
    numbers = tokenizer_of(files[spec.preprocessing.tokenizer_file]).numbers
    known = sorted(word for word in numbers if word.isalpha() and len(word) > 2)
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(known, size)) for size in rng.integers(3, 2 * words - 2, count)]


def measured(predictors: Mapping[str, Predictor], asked: list[str], repeats: int) -> dict[str, dict[str, Any]]:
    """Seconds for all texts, once to get warm and then as often as asked for, one after the other in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(repeats + 1):
        for name, predictor in predictors.items():
            began = time.perf_counter()
            predictor.predict(asked)
            seconds[name].append(time.perf_counter() - began)
    return {name: {**spread(values[1:]), **predictors[name].cost.to_dict()} for name, values in seconds.items()}


def held(predictor: Predictor) -> float:
    """Megabytes of weights in memory."""
    tensors = [one for some in predictor._networks for one in some._model.state_dict().values()]
    return sum({one.data_ptr(): one.numel() * one.element_size() for one in tensors}.values()) / 1e6


def main() -> int:
    """Measure, and print."""
    options, origin = _parser().parse_args(), provenance()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ways = {"one member": (None, 0.0), "equal": (WHOLE, 0.0), "a value apart": (WHOLE, 1e-3),
            "two depths": (UPPER_LEFT_OUT, 0.0)}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as made:
        bundles = {name: bundle(Path(made) / str(number), *way) for number, (name, way) in enumerate(ways.items())}
        predictors = {name: Predictor.from_directory(directory) for name, directory in bundles.items()}
        found = measured(predictors, texts(options.texts, options.words), options.repeats)
    for name, predictor in predictors.items():
        found[name]["mb"] = held(predictor)
    rows = [
        [name, one["median"], one["min"], one["ms_plain"], one["ms_first"], one["mb"]] for name, one in found.items()
    ]
    print(table(["members", "seconds (median)", "least", "ms a text", "of the first", "MB of weights"], rows))
    settings = {name: getattr(options, name) for name in ("texts", "words", "repeats")}
    print(json_line("members_together", origin, {"settings": settings, "results": found}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--words", type=int, default=12, help="of a text, on average (default: 12)")
    parser.add_argument("--repeats", type=int, default=5, help="measured passes of each (default: 5)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
