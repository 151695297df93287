"""`graft backbones`: the pretrained networks that can be named in a job."""

import json

import typer

from graft.cli.options import JsonOption


def command(as_json: JsonOption = False) -> None:
    """List the bundled backbones, and whether their weights are installed."""
    from graft.models.load import backbone_names, check_backbone

    found = [{"name": name, "problem": check_backbone(name)} for name in backbone_names()]
    if as_json:
        typer.echo(json.dumps(found))
        return
    for one in found:
        typer.echo(f"{one['name']:24} {one['problem'] or 'ready'}")
    typer.echo(
        "also: timm:<name>, torchvision:<name>, hf:<folder or name> (weights from a hub), "
        "local:<library>/<architecture>:<file>"
    )
