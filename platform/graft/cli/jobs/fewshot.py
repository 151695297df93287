"""`graft fewshot`: a model of 1 to 20 samples a class, in seconds."""

from pathlib import Path
from typing import Annotated

import typer

from graft.cli.options import HomeOption, JsonOption, SampleOption, SetOption, output_path
from graft.cli.output.tell import tell, tell_json


def command(  # noqa: PLR0913 - each is an option
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="A folder with a folder of samples for each class, a table, or a job file (.yaml).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=output_path,
            metavar="DIRECTORY",
            help="Where the model goes; fewshot/NAME in the home if left out.",
        ),
    ] = None,
    sample: SampleOption = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="Column of the labels of a table.")
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="KIND",
            help="Also try this adapter by gradient on a meta-learned map; repeatable.",
        ),
    ] = None,
    override: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from a few labelled samples of each class, at once: no search, no training, no Ray.

    Heads in closed form (ridge and logistic regression, class means) on the features of each backbone and size that the
    job names are compared by samples that they have not seen; the best one is written as a model. With more samples, or
    minutes to spare, `graft run` also trains the network.

    Example: graft fewshot mushrooms

    Example: graft fewshot tickets.csv --label team --json

    Example: graft fewshot job.yaml --set 'strategy.backbone={choice: [efficientnet_lite0, mobilenet_v2]}'
    """
    from graft.core.storage import Home
    from graft.data.draft import Wish
    from graft.data.remote.here import copies_in
    from graft.pipeline.fewshot.asked import adapters_named, few_shot_job

    adapters = adapters_named(adapter or ())
    wish = Wish(sample, (label,) if label else ())
    job = few_shot_job(path, wish, tuple(override or ()))
    place = Home.find(home)
    from graft.pipeline.fewshot.answer import answer_few_shots  # torch takes seconds
    from graft.pipeline.fewshot.shots import shots_of

    with copies_in(place):
        shots = shots_of(job)
    if output is None:
        place.require_writable()
    answer = answer_few_shots(shots, output or place.few_shot_models / job.name, adapters)
    if as_json:
        tell_json(answer.to_dict())
        return
    tell(*answer.lines(), "", "next:", f"  graft predict {answer.bundle} FILE…")
