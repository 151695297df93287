"""What it costs to nest distributed trials in Ray Tune: graft, and the same trainings by Ray Train alone.

Three variants train the same list of strategies with the same loop, data, checkpoints and number of gloo workers, each
in a process and a Ray of its own; one trial at a time:
  a  graft's search stage: trials of several workers under Ray Tune                      (nesting/through_graft.py)
  b  Ray Train alone, one TorchTrainer a training, tuned                                  (nesting/train_each.py)
  c  Ray Train alone, one TorchTrainer whose workers do all trainings in a loop, tuned    (nesting/train_loop.py)

`search` is the wall time from handing over the list to the last worker's end, with Ray up. `first start` is how long it
took until the first epoch began, and `after it` is the rest. `overhead s a trial` is what of the rest was not spent
inside epochs. Ratios are graft's time over the other's: below 1, graft is quicker. Against b is the comparison of
Ray's own release test, which allows 1.2; c is as little as Ray Train can cost, and no search could be written that way.
With equal seeds all variants compute the same numbers: `equal scores` says whether they did.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from children import TUNED_TRAIN, run_child
from nesting.request import Outcome, Request, write
from reporting import json_line, provenance, spread, table

EXAMPLE = """example:
  python tests/benchmarks/nested.py --repeats 3
  python tests/benchmarks/nested.py --smoke
"""
VARIANTS = {"a": "through_graft", "b": "train_each", "c": "train_loop"}
TITLES = {"a": "graft, nested in Tune", "b": "Train, one run each", "c": "Train, one run for all"}
TARGET = 1.05
# The scores of the same training differ in the last bits when torch splits a sum another way.
TOLERANCE = 1e-6

Outcomes = Mapping[str, Sequence[Outcome]]


def ratios(outcomes: Outcomes) -> dict[str, dict[str, float]]:
    """Least, median and most of graft's time over the others', repeat by repeat, with and without the first start."""
    found = {}
    for other in ("b", "c"):
        pairs = list(zip(outcomes.get("a", ()), outcomes.get(other, ()), strict=False))
        if pairs:
            found[f"a/{other}"] = spread([a.seconds / one.seconds for a, one in pairs])
            found[f"a/{other} after the first start"] = spread([_rest(a) / _rest(one) for a, one in pairs])
    return found


def rows(outcomes: Outcomes) -> list[list[Any]]:
    """Lines of the table: medians over the repeats."""
    return [
        [
            variant,
            TITLES[variant],
            _median([one.seconds for one in mine]),
            _median([one.first_start for one in mine]),
            _median([_rest(one) for one in mine]),
            _median([one.training for one in mine]),
            _median([(_rest(one) - one.training) / len(one.scores) for one in mine]),
            max(max(one.scores.values()) for one in mine),
            len(mine),
        ]
        for variant, mine in outcomes.items()
        if mine
    ]


def have_equal_scores(outcomes: Outcomes) -> bool:
    """Whether the same training gave the same score in every variant and repeat."""
    scores = [one.scores for mine in outcomes.values() for one in mine]
    return all(
        one.keys() == scores[0].keys() and all(abs(one[rate] - scores[0][rate]) <= TOLERANCE for rate in one)
        for one in scores
    )


def main() -> int:
    """Measure, print, and return 1 if a variant failed."""
    options = _parser().parse_args()
    if options.smoke:
        options.trials, options.epochs, options.limit, options.repeats = 2, 1, 100, 1
    origin = provenance()
    keep = nullcontext(options.work) if options.work else tempfile.TemporaryDirectory(prefix="graft-bench-")
    with keep as name:
        work = Path(name).absolute()
        work.mkdir(parents=True, exist_ok=True)
        request = Request(str(work), "", options.trials, options.epochs, options.workers, options.limit, options.freeze)
        outcomes = _measure(request, options)
    headers = [
        "",
        "variant",
        "search s",
        "first start s",
        "after it s",
        "training s",
        "overhead s a trial",
        "best",
        "n",
    ]
    print(f"\n{table(headers, rows(outcomes))}\n")
    found = ratios(outcomes)
    print(table(["ratio", "min", "median", "max"], [[name, *values.values()] for name, values in found.items()]))
    is_equal = have_equal_scores(outcomes)
    print(f"\nequal scores: {'yes' if is_equal else 'no'}; target a/b: {TARGET}\n")
    results = {
        "settings": {name: value for name, value in vars(options).items() if name != "work"},
        "ratios": found,
        "equal_scores": is_equal,
        "outcomes": {variant: [asdict(one) for one in mine] for variant, mine in outcomes.items()},
    }
    print(json_line("nested", origin, results))
    return 0 if all(len(outcomes[variant]) == options.repeats for variant in options.only) else 1


def _measure(request: Request, options: argparse.Namespace) -> dict[str, list[Outcome]]:
    work, outcomes = Path(request.work), {variant: list[Outcome]() for variant in options.only}
    ingested = work / "dataset.txt"
    if not run_child(["-m", "nesting.prepare", _written(request, "prepare"), str(ingested)], work / "prepare.log", 600):
        raise SystemExit("the data could not be prepared")
    request = replace(request, dataset=ingested.read_text())
    for repeat in range(options.repeats):
        # Whoever runs first finds colder caches, so the first place goes round.
        shift = repeat % len(options.only)
        for variant in options.only[shift:] + options.only[:shift]:
            stem = f"{variant}-{repeat}"
            answered = work / f"{stem}.outcome.json"
            arguments = ["-m", f"nesting.{VARIANTS[variant]}", _written(request, stem), str(answered)]
            extra = {} if variant == "a" else TUNED_TRAIN
            if run_child(arguments, work / f"{stem}.log", options.timeout * 60, extra):
                outcomes[variant].append(Outcome.read(answered))
                told = (
                    f"{outcomes[variant][-1].seconds:.1f} s, first epoch after {outcomes[variant][-1].first_start:.1f}"
                )
                print(f"  {repeat + 1}/{options.repeats} {variant}  {TITLES[variant]}: {told} s", flush=True)
    return outcomes


def _written(request: Request, stem: str) -> str:
    path = Path(request.work) / f"{stem}.request.json"
    write(request, path)
    return str(path)


def _rest(outcome: Outcome) -> float:
    return outcome.seconds - outcome.first_start


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=8, help="(default: 8)")
    add("--epochs", type=int, default=2, help="of each trial (default: 2)")
    add("--workers", type=int, default=2, help="of each trial, one CPU each (default: 2)")
    add("--limit", type=int, default=400, help="training and validation images (default: 400)")
    add("--freeze", type=float, default=0.5, help="share of the depth that stays frozen (default: 0.5)")
    add("--repeats", type=int, default=2, help="how often each variant runs (default: 2, about 8 minutes)")
    add("--only", type=_variants, default=list(VARIANTS), help="variants, such as a,b (default: a,b,c)")
    add("--timeout", type=float, default=30, help="minutes after which a variant is ended (default: 30)")
    add("--work", type=Path, help="keep logs and results in this directory (default: a temporary one)")
    add("--smoke", action="store_true", help="the smallest run that shows that it works")
    return parser


def _variants(text: str) -> list[str]:
    chosen = [part.strip() for part in text.split(",")]
    if odd := [part for part in chosen if part not in VARIANTS]:
        raise argparse.ArgumentTypeError(f"is `{odd[0]}`, but must be of {', '.join(VARIANTS)}")
    return list(dict.fromkeys(chosen))


if __name__ == "__main__":
    sys.exit(main())
