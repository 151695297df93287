"""`graft backbones`: the pretrained networks that can be named in a job."""

import json

from graft.cli.options import JsonOption
from graft.cli.output.tell import tell


def command(as_json: JsonOption = False) -> None:
    """List the bundled backbones, and whether their weights are installed."""
    from graft.models.load import backbone_names, check_backbone

    found = [{"name": name, "problem": check_backbone(name)} for name in backbone_names()]
    if as_json:
        tell(json.dumps(found))
        return
    for one in found:
        tell(f"{one['name']:24} {one['problem'] or 'ready'}")
    tell(
        "also: timm:<name>, torchvision:<name>, hf:<folder or name> (weights from a hub), "
        "local:<library>/<architecture>:<file>"
    )
