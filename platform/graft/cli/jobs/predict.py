"""`graft predict`: labels and probabilities for images."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from graft.cli.options import HomeOption, JsonOption
from graft.core.storage import Home

TOP = 3


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A bundle, an experiment, or models:/name@champion.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Images, folders of images, or tables that name images.")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict labels with probabilities for images.

    Example: graft predict models:/digits@champion photo.png more_photos/
    """
    from graft.experiments.find_bundle import find_bundle
    from graft.serving.inputs import image_paths
    from graft.serving.predictor import Predictor

    images = image_paths(paths)
    predictions = Predictor.from_directory(find_bundle(model, Home.find(home))).predict(images)
    if as_json:
        typer.echo(json.dumps({"model": model, "predictions": [asdict(one) for one in predictions]}))
    else:
        for one in predictions:
            best = sorted(one.probabilities.items(), key=lambda item: -item[1])[:TOP]
            typer.echo(f"{one.source}: {one.error or ', '.join(f'{name} {value:.3f}' for name, value in best)}")
    if any(one.error for one in predictions):
        raise SystemExit(2)
