"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from graft.cli.completion import experiment_names

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="GRAFT_HOME", help="Where graft keeps everything.", show_default="./.graft"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override one key of the job: --set training.epochs=3. May be repeated."
    ),
]
JobArgument = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]
ExperimentArgument = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT",
        help="An experiment, the name of a job (its newest experiment), or `latest`.",
        autocompletion=experiment_names,
    ),
]
