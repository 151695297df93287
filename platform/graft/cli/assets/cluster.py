"""`graft cluster`: files that make a Ray cluster."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from graft.cli.help import show_overview
from graft.cli.options import JsonOption
from graft.cli.output.tell import tell, tell_json

app = typer.Typer(help="Files that make a Ray cluster: write one, check one.", invoke_without_command=True)


@app.callback()
def _cluster(context: typer.Context) -> None:
    """Files that make a Ray cluster: write one, check one."""
    show_overview(context)


@app.command("make")
def make(
    provider: Annotated[
        str,
        typer.Argument(metavar="PROVIDER", help="aws, gcp, azure, on_premise, kuberay, or kuberay_service (a model)."),
    ],
    size: Annotated[
        str, typer.Option("--size", help="small, medium or large: 4, 14 or 72 workers at most.")
    ] = "medium",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="name; container (reference of the nodes' image); home (below /shared, or in a store, as in "
            "gs://bucket/graft); shared (host or share that /shared is mounted from); allow (network that may come in "
            "by SSH); security_group, subnets, ami (AWS); project (Google Cloud); subscription (Azure); model (of "
            "kuberay_service).",
        ),
    ] = None,
) -> None:
    """Print a cluster file for a provider: for Ray's launcher (`ray up`), or for KubeRay; or a service with a model.

    Example: graft cluster make aws --size small --set security_group=sg-0123 > cluster.yaml
    """
    from graft.clusters.make import make_cluster_file, settings_of

    tell(*make_cluster_file(provider, settings_of(size, settings or ())).splitlines())


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file for `ray up`, or manifests of KubeRay.")],
    as_json: JsonOption = False,
) -> None:
    """Check a cluster file by Ray's own schema and by our rules: a token, no open port, nothing paid for while idle.

    Nothing is contacted. Exit code 2 if something is wrong.

    Example: graft cluster check cluster/aws/medium.yaml
    """
    from graft.clusters.check import check_file

    found = check_file(file)
    if as_json:
        tell_json({"ok": not found, "problems": [asdict(one) for one in found]})
    else:
        tell(*(f"{file}: {one}" for one in found), err=True) if found else tell(f"{file}: no problem found")
    raise typer.Exit(2 if found else 0)


@app.command("prices")
def prices() -> None:
    """Print the table of prices that `graft plan --cluster` counts with, to be edited.

    Example: graft cluster prices > prices.yaml
    """
    from graft.clusters.prices import shipped_text

    tell(*shipped_text().splitlines())
