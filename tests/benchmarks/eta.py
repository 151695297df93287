"""How often the band of the estimated time held the truth, over the journals of runs that came to their end.

    python tests/benchmarks/eta.py [--again] HOME…

A check is a moment at which a run estimates the time left and journals what it says: a stage begins, a trial or an
epoch ends, at most every five seconds. The truth is when the run ended. With --again, and of journals from before
estimates were journaled, what this graft would have said counts. Prints a table; ends with 1 below 80 %.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

from graft.core.errors import GraftError
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.standing.estimates import Check, checks_of, share_held

WANTED = 0.8


def main(homes: Iterable[str], is_asked_again: bool = False) -> int:
    """Print the shares; return the exit code."""
    everything: list[Check] = []
    print(f"{'experiment':44} checks   held  error   band   (medians, of what was left)")
    for home in map(Home.find, homes):
        for name in reversed(Experiment.names(home)):
            try:
                found = checks_of(Experiment(home.experiments / name), is_asked_again)
            except GraftError as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                continue
            if found:
                print(row(name, found))
                everything += found
    if not everything:
        print("no run has come to its end there", file=sys.stderr)
        return 2
    print(row("all", everything))
    return 0 if share_held(everything) >= WANTED else 1


def row(name: str, checks: Sequence[Check]) -> str:
    """A line of the table."""
    errors = sorted(abs(check.left.seconds - check.truth) / max(1.0, check.truth) for check in checks)
    bands = sorted(check.left.band / max(1.0, check.truth) for check in checks)
    middle = len(checks) // 2
    return f"{name:44} {len(checks):6} {share_held(checks):6.0%} {errors[middle]:6.0%} {bands[middle]:6.0%}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How often the band of the estimated time held the truth.")
    parser.add_argument("homes", nargs="+", metavar="HOME", help="with runs that came to their end")
    parser.add_argument("--again", action="store_true", help="ask what this graft would have said")
    given = parser.parse_args()
    raise SystemExit(main(given.homes, given.again))
