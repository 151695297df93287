"""`graft memory ls`, `show` and `forget`."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from graft.cli.memory.held import PlaceOption, TaskArgument, store_of, task_named, tell_left_out, weighed
from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.spec.messages.counting import counted

if TYPE_CHECKING:
    from graft.meta.memory.summary import TrialSummary

_COLUMNS = ["task", "samples", "asked", "rows", "trials", "records", "best", "by", "from", "newest"]
_NUMBERS = ("rows", "trials", "records")
_SHOWN_TRIALS, _SHOWN_LABEL = 20, 60


def ls(home: HomeOption = None, place: PlaceOption = None, as_json: JsonOption = False) -> None:
    """List the tasks that are remembered, the newest first.

    Example: graft memory ls
    """
    from graft.cli.output.tables import print_table
    from graft.meta.memory.summary import task_summaries
    from graft.spec.metrics import shown

    store = store_of(home, place)
    contents = store.contents()
    rows = task_summaries(weighed(contents))
    if as_json:
        told = {"memory": str(store.place), "parts": contents.parts, "left_out": contents.left_out}
        tell_json({**told, "records": contents.records.num_rows, "tasks": [asdict(row) for row in rows]})
        return
    tell_left_out(contents)
    if rows:
        print_table(
            _COLUMNS,
            [
                [
                    row.title or row.task,
                    row.modality,
                    row.task_kind,
                    f"{row.rows:,}" if row.rows else "–",
                    f"{row.trials:,}",
                    f"{row.records:,}",
                    f"{row.metric} {shown(row.best)}" if row.metric else "–",
                    row.winner[:_SHOWN_LABEL] or "–",
                    _few(row.sources),
                    _day(row.newest),
                ]
                for row in rows
            ],
            _NUMBERS,
        )
    held = f"{counted(len(rows), 'task')}, {counted(contents.records.num_rows, 'record')}"
    tell(f"{held} in {counted(contents.parts, 'part')} of {store.place}")


def show(task: TaskArgument, home: HomeOption = None, place: PlaceOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of a task: its trials, the best first, and its scores.

    Example: graft memory show digits
    """
    from graft.meta.memory.summary import task_summaries, trial_summaries

    contents = store_of(home, place).contents()
    name, memory = task_named(contents, task), weighed(contents)
    (row,) = [one for one in task_summaries(memory) if one.task == name]
    entry = next((one for one in memory.tasks() if one.task == name), None)
    trials = trial_summaries(one for one in memory.records() if one.task == name)
    scores = [one for one in memory.scores() if one.task == name]
    if as_json:
        known = {} if entry is None else {**asdict(entry)}
        told = {**asdict(row), "entry": known, "scores": [asdict(one) for one in scores]}
        tell_json({**told, "trials": [asdict(one) for one in trials]})
        return
    tell_left_out(contents)
    called = f"{row.title} ({name})" if row.title else name
    size = f", {row.rows:,} training rows, {row.outputs} outputs" if row.rows else ""
    came = f"{counted(row.trials, 'trial')} from {', '.join(row.sources) or '–'}"
    tell(f"{called}: {row.modality} {row.task_kind}{size}, {came}")
    if entry is not None:
        tell(*(f"  {key} = {value:.4g}" for key, value in entry.meta_features.items()))
    _print_trials(trials)
    for score in sorted(scores, key=lambda one: (one.score_name, -one.value)):
        tell(f"{score.score_name} of {score.backbone}: {score.value:.4f}")


def forget(task: TaskArgument, home: HomeOption = None, place: PlaceOption = None, as_json: JsonOption = False) -> None:
    """Delete all that is remembered of a task. What was measured until now does not come back by `graft memory sync`.

    Experiments, models and MLflow runs of the task stay where they are.

    Example: graft memory forget digits
    """
    store = store_of(home, place)
    contents = store.contents()
    tell_left_out(contents)
    name = task_named(contents, task)
    went = store.forget(name)
    if as_json:
        tell_json({"task": name, "entries": went})
    else:
        tell(f"forgot {name}: {went:,} entries")


def _print_trials(trials: "list[TrialSummary]") -> None:
    from graft.cli.output.tables import print_table
    from graft.spec.metrics import shown

    print_table(
        ["strategy", "best", "epochs", "seconds", "ended", "counts", "from"],
        [
            [
                one.label[:_SHOWN_LABEL],
                f"{one.metric} {shown(one.best)}",
                str(max(one.curve, default=0) or "–"),
                "–" if one.seconds is None else f"{one.seconds:.1f}",
                one.state,
                f"{one.weight:.2f}",
                one.source,
            ]
            for one in trials[:_SHOWN_TRIALS]
        ],
        ("epochs", "seconds", "counts"),
    )
    if len(trials) > _SHOWN_TRIALS:
        tell(f"… and {len(trials) - _SHOWN_TRIALS} more; --json has them all")


def _few(sources: tuple[str, ...]) -> str:
    return sources[0] if len(sources) == 1 else f"{len(sources)} sources" if sources else "–"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d") if 0 < seconds < 4e9 else "–"
