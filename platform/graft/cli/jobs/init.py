"""`graft init`: look at the data, and write the job file."""

import contextlib
import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from graft.cli.options import JsonOption, SampleOption, SetOption, output_path
from graft.cli.output.tell import tell, tell_json


def command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="A folder of images or .txt files, one folder a class, or a table (CSV, TSV, JSONL, Parquet).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=output_path,
            metavar="FILE",
            help="The job file to write; NAME.yaml here if left out, and - prints it.",
        ),
    ] = None,
    sample: SampleOption = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="COLUMN", help="Column of the labels of a table; may be repeated."),
    ] = None,
    override: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a folder or a table, decide columns, task and splits, and write a commented job file that runs.

    It asks nothing and overwrites nothing; what could be meant in several ways is told in one line. With --json it
    prints the job, and writes a file only if --output names one.

    Example: graft init photos

    Example: graft init reviews.csv --label stars --set task=regression --output reviews.yaml
    """
    from graft.core.errors import SpecError
    from graft.data.draft import Wish
    from graft.pipeline.draft.draft_job import draft_job
    from graft.pipeline.draft.render import render

    if output is not None and os.path.lexists(output):  # before the look, which may take a while
        raise SpecError(f"{output} is there already, and graft init overwrites nothing; name another with --output")
    draft = draft_job(path, Wish(sample, tuple(label or ())), override or ())
    if str(output) == "-":
        tell(*render(draft).rstrip("\n").split("\n"))
        return
    file = output or (None if as_json else Path(f"{draft.job['name']}.yaml"))
    if file is not None:
        _write(file, render(_with_path_from(file, draft)))
    if as_json:
        tell_json(draft.job)
        return
    tell(
        f"{file} is written",
        *draft.summary,
        "",
        "next:",
        *(f"  graft {what} {shlex.quote(str(file))}" for what in ("plan", "run")),
    )


def _with_path_from(file: Path, draft: Any) -> Any:
    """The draft with a data path relative to the job file, where the data lie below it: both can be moved then."""
    from dataclasses import replace

    data = draft.job["data"]
    below = os.path.relpath(data["path"], os.path.abspath(file.parent))
    if below.startswith((os.pardir, "~", os.curdir)):
        return draft
    return replace(draft, job={**draft.job, "data": {**data, "path": below}})


def _write(file: Path, text: str) -> None:
    """Write a new file.

    Raises:
        SpecError: it is there already, or its directory is not.
        ResourceError: it cannot be written.
    """
    from graft.core.errors import ResourceError, SpecError

    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise SpecError(
            f"{file} is there already, and graft init overwrites nothing; name another with --output"
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        raise SpecError(f"{file.parent} is no directory; make it, or name another file with --output") from None
    except OSError as error:
        with contextlib.suppress(OSError):
            file.unlink()  # a part of it would be taken for a job
        raise ResourceError(f"{file} cannot be written ({error.strerror}); name another with --output") from error
