"""How often the band of the estimated time held the truth, over the journals of runs that came to their end.

    python tests/benchmarks/eta.py HOME…

A check is a moment at which a run estimates the time left and journals what it says: a stage begins, a trial or an
epoch ends, at most every five seconds. The truth is when the run ended. Journals from before estimates were journaled
are asked what they would have said. Prints a table; ends with 1 below 80 %.
"""

import sys
from collections.abc import Iterable, Sequence

from graft.core.errors import GraftError
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.standing.estimates import Check, checks_of, share_held

WANTED = 0.8


def main(homes: Iterable[str]) -> int:
    """Print the shares; return the exit code."""
    everything: list[Check] = []
    print(f"{'experiment':44} checks   held  error   band   (medians, of what was left)")
    for home in map(Home.find, homes):
        for name in reversed(Experiment.names(home)):
            try:
                found = checks_of(Experiment(home.experiments / name))
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
    raise SystemExit(main(sys.argv[1:]))
