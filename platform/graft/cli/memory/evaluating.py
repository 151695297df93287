"""`graft memory evaluate`: how good recommendations would have been."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.memory.files import RecordsArgument, ScoresOption
from graft.cli.options import JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import SpecError
from graft.spec.messages.counting import counted

if TYPE_CHECKING:
    from graft.meta.recommend.evaluation.evaluate import Evaluation

MOST = 10_000


def evaluate(
    records: RecordsArgument,
    scores: ScoresOption = None,
    leave_one_task_out: Annotated[
        bool, typer.Option("--leave-one-task-out", help="Hold out each task in turn: what is done in any case.")
    ] = True,
    counts: Annotated[str, typer.Option("--k", metavar="K,K,…", help="How many candidates are tried.")] = "1,3,5,10",
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            min=1,
            max=1000,
            help="Draws of the tasks that are left of a thinned memory, for each task.",
            show_default="5; fewer for more than 60 tasks",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Say how far the best of the first k recommended candidates is from the best: the regret, in points.

    Each task is held out in turn, and recommended for from the others. Beside graft's recommendations: a random order
    (its expected value), the other tasks alone (prior), and each score alone; and with only 1, 3 or 5 other tasks.

    RECORDS has the columns task, backbone, metric and value; strategy_json, epoch and seconds where they are known.
    Scores have task, backbone, score_name and value. Nothing is remembered.

    Example: graft memory evaluate results.csv --scores logme.csv --k 1,3,5
    """
    from graft.meta.recommend.evaluation.evaluate import Evaluator
    from graft.meta.recommend.evaluation.foreign import read_foreign

    wanted = _counts(counts)
    given = read_foreign(records, scores)
    found = Evaluator(wanted, draws, seed).evaluate(given.memory)
    if as_json:
        tell_json({**found.to_dict(), "assumed": list(given.assumed)})
        return
    _print(found, given.assumed, records)


def _counts(text: str) -> tuple[int, ...]:
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise SpecError(f"--k is `{text}`, but must be numbers with commas between; write 1,3,5,10") from None
    if found[0] < 1 or found[-1] > MOST:
        raise SpecError(f"--k is `{text}`, but each must be from 1 to {MOST:,}; write 1,3,5,10")
    return tuple(found)


def _print(found: "Evaluation", assumed: tuple[str, ...], records: Path) -> None:
    from graft.cli.output.tables import print_table

    tell(*(f"graft: {line}" for line in assumed), err=True) if assumed else None
    columns = [f"k = {count}" for count in found.counts]
    rows = [[name, *(f"{by_k[count]:.2f}" for count in found.counts)] for name, by_k in found.mean.items()]
    for size, regrets in found.thinned.items():
        for name, by_k in regrets.items():
            rows.append([f"{name}, {counted(size, 'task')}", *(f"{by_k[count]:.2f}" for count in found.counts)])
    print_table(["regret in points", *columns], rows, tuple(columns))
    left_out = f", {len(found.left_out)} could not be compared" if found.left_out else ""
    metrics = ", ".join(sorted({one.metric for one in found.held_out}))
    unused = (
        f"; {counted(found.unused, 'record')} of other metrics, or without a value, not used" if found.unused else ""
    )
    tell(f"mean over {counted(len(found.held_out), 'task')} of {records} by {metrics}{left_out}{unused}")
