"""`graft memory export` and `import`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.cli.memory.held import PlaceOption, store_of, task_named, tell_left_out
from graft.cli.options import HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.uris import user_path
from graft.spec.messages.counting import counted

DirectoryArgument = Annotated[
    Path, typer.Argument(metavar="DIRECTORY", help="Where the files go; it is made.", show_default=False)
]
RecordsArgument = Annotated[
    Path, typer.Argument(metavar="RECORDS", help="Results, as .parquet or .csv.", show_default=False)
]
ScoresOption = Annotated[
    Path | None, typer.Option("--scores", metavar="FILE", help="Scores of backbones, as .parquet or .csv.")
]


def export(
    directory: DirectoryArgument,
    task: Annotated[str | None, typer.Option("--task", metavar="TASK", help="Only what is known of this task.")] = None,
    home: HomeOption = None,
    place: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what is remembered as records.parquet, scores.parquet and tasks.parquet, for anybody to read or import.

    Example: graft memory export ~/memory-of-digits --task digits
    """
    from graft.meta.memory.exporting import export_memory

    contents = store_of(home, place).contents()
    only = None if task is None else task_named(contents, task)
    written = export_memory(contents, user_path(directory), only)
    if as_json:
        tell_json({"directory": str(directory), "entries": written})
        return
    tell_left_out(contents)
    told = ", ".join(counted(count, kind.removesuffix("s")) for kind, count in written.items())
    tell(f"{told} written to {directory}")


def import_(
    records: RecordsArgument,
    scores: ScoresOption = None,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", metavar="FILE", help="Tasks, as `graft memory export` writes them.")
    ] = None,
    home: HomeOption = None,
    place: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in results that others have measured; the same ones again change nothing.

    RECORDS has the columns task, modality, backbone, metric and value; strategy_json, epoch and seconds where they are
    known. Scores have task, backbone, score_name and value.

    Example: graft memory import results.csv --scores logme.csv

    Example: graft memory import old/records.parquet --scores old/scores.parquet --tasks old/tasks.parquet
    """
    from graft.meta.memory.importing import read_memory
    from graft.meta.memory.unknown import not_yet_known

    store = store_of(home, place)
    given = read_memory(records, scores, tasks)
    contents = store.contents()
    tell_left_out(contents)
    new = not_yet_known(contents, given)
    store.append([*new.tasks(), *new.scores(), *new.records()])
    told = {
        "records": len(new.records()),
        "known_records": len(given.records()) - len(new.records()),
        "scores": len(new.scores()),
        "tasks": len(new.tasks()),
        "memory": str(store.place),
    }
    if as_json:
        tell_json(told)
        return
    known = f", {told['known_records']:,} known already" if told["known_records"] else ""
    others = f"{counted(len(new.scores()), 'score')}, {counted(len(new.tasks()), 'task')}"
    tell(f"{counted(len(new.records()), 'record')}{known}, {others} added to {store.place}")
