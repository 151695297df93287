"""`graft components`: everything that a job can name, ours and that of other packages."""

from typing import Annotated, Any

import typer

from graft.cli.options import JsonOption
from graft.cli.output.tell import tell_json


def command(
    group: Annotated[
        str | None, typer.Argument(metavar="[GROUP]", help="Only this group, such as penalty or scheduler.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List every component that a job can name, with the package it comes from.

    Example: graft components penalty
    """
    from graft.cli.output.tables import print_table
    from graft.core.errors import SpecError
    from graft.core.registry import unknown
    from graft.spec.registry import GROUPS

    if group is not None and group not in (*GROUPS, "backbone"):
        raise SpecError(unknown("group", group, (*GROUPS, "backbone")))
    found = [one for one in registered() if group in (None, one["group"])]
    if as_json:
        tell_json({"components": found})
        return
    print_table(["group", "kind", "package", "what it is"], [[str(value) for value in one.values()] for one in found])


def registered() -> list[dict[str, Any]]:
    """Group, kind, package and first line of the documentation of every component."""
    from graft.models.zoo import ZOO
    from graft.spec.registry import GROUPS, members, package_of

    found = [
        {"group": group, "kind": kind, "package": package_of(spec), "doc": _first_paragraph(spec)}
        for group in GROUPS
        for kind, spec in members(group).items()
    ]
    networks = [
        {"group": "backbone", "kind": name, "package": ZOO.package_of(name), "doc": "A pretrained network."}
        for name in ZOO.names()
    ]
    return [*found, *networks]


def _first_paragraph(spec: type) -> str:
    """What a component is, in a line; sentences may be longer than a line of the source."""
    return " ".join((spec.__doc__ or "").strip().split("\n\n")[0].split())
