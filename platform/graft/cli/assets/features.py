"""`graft features`: what a pretrained network makes of every sample, as a table."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from graft.cli.options import HomeOption, JobArgument, JsonOption, SetOption, output_path
from graft.cli.output.captured_output import chatter_to
from graft.cli.output.looking import working
from graft.cli.output.tell import tell, tell_json
from graft.core.storage import Home


def command(  # noqa: PLR0913 - each is an option
    job: JobArgument,
    output: Annotated[
        Path, typer.Argument(parser=output_path, metavar="OUT.parquet", help="The table to write.", show_default=False)
    ],
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help="Any network of `graft zoo ls`; else the job's.")
    ] = None,
    cut: Annotated[
        int | None,
        typer.Option("--cut", "--blocks", metavar="K", help="Compute the first K blocks only; all if left out."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="train, validation, test or all.", show_default=True)] = "all",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the pooled features of every sample, with its id, split and label, to a Parquet file.

    Example: graft features jobs/digits.yaml digits.parquet

    Example: graft features jobs/digits.yaml early.parquet --backbone efficientnet_lite1 --cut 5 --split train
    """
    from graft.pipeline.features.request import feature_request
    from graft.pipeline.features.table import check_target
    from graft.spec.load import load_job_here, placed_in

    check_target(output, force)
    with placed_in(job, override or ()):
        request = feature_request(load_job_here(job, override or ()), backbone, cut, split)
    from graft.pipeline.features.features import write_features  # torch takes seconds

    place = Home.find(home)
    place.require_writable()
    # What Ray prints is of no use here: what goes wrong is raised.
    with tempfile.TemporaryDirectory() as scratch, chatter_to(Path(scratch, "log")) as terminal:
        summary = write_features(request, place, output, working(terminal.err))
    if as_json:
        tell_json({"output": str(output), **summary.to_dict()})
    else:
        tell(f"{output}: {summary}")
