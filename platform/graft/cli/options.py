"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from graft.cli.completion import experiment_names
from graft.core.uris import local_path

STANDARD_INPUT = Path("/dev/stdin")

HomeOption = Annotated[
    str | None,
    typer.Option(
        "--home",
        envvar="GRAFT_HOME",
        help="Where graft keeps everything: a directory, or a store (s3://BUCKET/PREFIX, gs://…, abfs://…).",
        show_default="./.graft",
    ),
]


class LogFormat(StrEnum):
    """How a run tells what happens."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        envvar="GRAFT_LOG_FORMAT",
        help="json: an object a line for each event, on standard error, and the result as --json prints it.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override one key of the job: --set training.epochs=3. May be repeated."
    ),
]
SampleOption = Annotated[
    str | None, typer.Option("--sample", metavar="COLUMN", help="Column of the texts or image files of a table.")
]
JobArgument = Annotated[
    Path,
    typer.Argument(
        metavar="JOB",
        help="The job file (YAML); `-` reads it from standard input.",
        show_default=False,
        callback=lambda job: STANDARD_INPUT if str(job) == "-" else job,
    ),
]
ExperimentArgument = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT",
        help="An experiment, the name of a job (its newest experiment), or `latest`.",
        autocompletion=experiment_names,
    ),
]


def output_path(text: str) -> Path:
    """The file of an option that says where to write; no store can be written to."""
    return local_path(text, "the file to write")
