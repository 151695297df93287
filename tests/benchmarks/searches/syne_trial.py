"""The process of one trial of syne-tune's: reports each epoch on its output, on one core."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

import torch
from syne_tune import Reporter
from syne_tune.utils import add_config_json_to_argparse, load_config_json

sys.path.insert(0, str(Path(__file__).parents[1]))

from searches.trials import SPACES, Problem, epochs_of


def main() -> None:
    """Train with the values that the backend has written to a file."""
    parser = ArgumentParser()
    add_config_json_to_argparse(parser)
    given = load_config_json(vars(parser.parse_known_args()[0]))
    torch.set_num_threads(1)
    problem, report = Problem.read(Path(given["problem"])), Reporter()
    config = {name: given[name] for name in SPACES[problem.kind]}
    for epoch, accuracy in epochs_of(problem, config, Path(given["home"]) / f"trial-{os.getpid()}"):
        report(epoch=epoch, accuracy=accuracy)


if __name__ == "__main__":
    main()
