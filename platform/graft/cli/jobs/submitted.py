"""`graft jobs`: what was submitted to a Ray cluster."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.help import show_overview
from graft.cli.jobs.submit import AddressOption, follow_to_its_end
from graft.cli.options import JsonOption
from graft.cli.output.tell import tell, tell_json

if TYPE_CHECKING:
    from graft.submit.connection import Cluster
    from graft.submit.jobs import Submitted

app = typer.Typer(help="Jobs that were submitted to a Ray cluster.", invoke_without_command=True)

JobName = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, its experiment, the name of its job file, or `latest`.")
]


@app.callback()
def _jobs(context: typer.Context) -> None:
    """Jobs that were submitted to a Ray cluster."""
    show_overview(context)


@app.command("ls")
def ls(address: AddressOption = None, as_json: JsonOption = False) -> None:
    """List the jobs that graft has submitted, newest first.

    Example: graft jobs ls --address http://127.0.0.1:8265
    """
    from graft.submit.jobs import jobs_of

    found = jobs_of(_cluster(address))[::-1]
    if as_json:
        tell_json([_plain(one) for one in found])
        return
    for one in found:
        tell(f"{one.status:10} {_ago(one):>8}  {one.user:12} {one.experiment}")
    if not found:
        tell("no job of graft's is there yet; `graft submit JOB` sends one")


@app.command("status")
def status(job: JobName = "latest", address: AddressOption = None, as_json: JsonOption = False) -> None:
    """Show how a job stands.

    Example: graft jobs status digits
    """
    from graft.submit.jobs import find_job

    found = find_job(_cluster(address), job)
    if as_json:
        tell_json(_plain(found))
        return
    code = "" if found.exit_code is None else f", exit code {found.exit_code}"
    tell(f"{found.job_id}: {found.status}{code}; {found.message}")
    tell(*(f"  {name:10} {value}" for name, value in sorted(found.metadata.items())))


@app.command("logs")
def logs(
    job: JobName = "latest",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it ends, with its exit code.")] = False,
    address: AddressOption = None,
) -> None:
    """Print what a job has printed; with -f as it comes, also after the connection was lost.

    Example: graft jobs logs -f digits
    """
    from graft.submit.jobs import find_job

    cluster = _cluster(address)
    found = find_job(cluster, job)
    if follow:
        follow_to_its_end(cluster, found)
    tell(*cluster.logs(found.job_id).splitlines())


@app.command("stop")
def stop(job: JobName = "latest", address: AddressOption = None, as_json: JsonOption = False) -> None:
    """Stop a job; its experiment stays, and `graft jobs resume` goes on with it.

    Example: graft jobs stop digits
    """
    from graft.submit.jobs import find_job

    cluster = _cluster(address)
    found = find_job(cluster, job)
    is_stopped = not found.is_over and cluster.stop(found.job_id)
    if as_json:
        tell_json({"job_id": found.job_id, "experiment": found.experiment, "stopped": is_stopped})
        return
    told = "is stopped" if is_stopped else f"has ended already: {found.status}"
    tell(f"{found.job_id} {told}; `graft jobs resume {found.experiment}` goes on with it")


@app.command("resume")
def resume(job: JobName = "latest", address: AddressOption = None, as_json: JsonOption = False) -> None:
    """Send the experiment of a job that has ended again, to go on where it was.

    Example: graft jobs resume digits
    """
    from graft.submit.jobs import resume as send_again
    from graft.submit.submission import Submission

    cluster = _cluster(address)
    sent = send_again(cluster, job, Submission())
    if as_json:
        tell_json({"job_id": sent.job_id, "experiment": sent.experiment, "address": cluster.address})
        return
    tell(f"{sent.job_id}: {sent.experiment} goes on; `graft jobs logs -f {sent.experiment}`")


def _cluster(address: str | None) -> "Cluster":
    from graft.submit.connection import Cluster
    from graft.submit.endpoint import address_of

    return Cluster(address_of(address))


def _plain(job: "Submitted") -> dict[str, Any]:
    return {**asdict(job), "is_over": job.is_over}


def _ago(job: "Submitted") -> str:
    if job.started is None:
        return "–"
    minutes = (time.time() - job.started) / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
