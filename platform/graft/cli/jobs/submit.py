"""`graft submit`: a job sent to a Ray cluster."""

from typing import TYPE_CHECKING, Annotated

import typer

from graft.cli.options import JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell, tell_json
from graft.core.errors import GraftError, SpecError

if TYPE_CHECKING:
    from graft.submit.connection import Cluster
    from graft.submit.jobs import Submitted

AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="RAY_API_SERVER_ADDRESS",
        help="The cluster's dashboard.",
        show_default="http://127.0.0.1:8265",
    ),
]


def command(  # noqa: PLR0913 - what a submission can say
    job: JobArgument,
    override: SetOption = None,
    address: AddressOption = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="Its name; the same name is submitted once.")
    ] = None,
    home: Annotated[
        str | None, typer.Option("--home", help="Where the cluster keeps everything; its nodes' GRAFT_HOME.")
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="Variable of the driver and its workers; no secrets."),
    ] = None,
    data_on_cluster: Annotated[
        bool, typer.Option("--data-on-cluster", help="The data's path is one of the cluster's nodes.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end, with its exit code.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a job to a Ray cluster, from a machine that need not be part of it.

    The job file travels, and its data if they are small; from a checkout graft itself as well. A connection that is
    lost stops nothing. The token of the cluster comes from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.

    Example: graft submit jobs/digits.yaml --address http://127.0.0.1:8265 --wait
    """
    from graft.spec.load import load_job, load_job_here
    from graft.submit.connection import Cluster
    from graft.submit.endpoint import address_of
    from graft.submit.jobs import submit
    from graft.submit.package import travel_problems
    from graft.submit.submission import Submission, require_sendable

    given = override or ()
    loaded = load_job(job, given) if data_on_cluster else load_job_here(job, given, travel_problems)
    submission = Submission(experiment, home, _variables(variable or ()), data_on_cluster)
    require_sendable(submission)  # what can be told here is told before a cluster is asked
    cluster = Cluster(address_of(address))
    submitted = submit(cluster, loaded, submission)
    if as_json and not wait:
        tell_json({"job_id": submitted.job_id, "experiment": submitted.experiment, "address": cluster.address})
        return
    tell(f"{submitted.job_id}: {submitted.experiment} is {submitted.status} at {cluster.address}", err=True)
    if wait:
        follow_to_its_end(cluster, submitted, as_json)
        return
    tell("", "next:", f"  graft jobs logs -f {submitted.experiment}", f"  graft jobs status {submitted.experiment}")


def follow_to_its_end(cluster: "Cluster", submitted: "Submitted", as_json: bool = False) -> None:
    """Print what a job prints until it ends, and end with its exit code; go on with the one that takes its place.

    Raises:
        typer.Exit: always.
    """
    from graft.submit.following import follow

    ended = follow(cluster, submitted, lambda line: tell(line, err=as_json), lambda text: tell(text, err=True))
    if as_json:
        told = {"job_id": ended.job_id, "experiment": ended.experiment, "address": cluster.address}
        tell_json({**told, "status": ended.status, "exit_code": ended.exit_code})
    elif ended.status != "SUCCEEDED":
        tell(f"{ended.job_id} is {ended.status}: {ended.message}; `graft jobs resume {ended.experiment}`", err=True)
    raise typer.Exit(0 if ended.status == "SUCCEEDED" else ended.exit_code or GraftError.exit_code)


def _variables(given: list[str] | tuple[()]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    bad = [name + equals + value for name, equals, value in pairs if not name or not equals]
    if bad:
        raise SpecError(f"--env is `{bad[0]}`, but must be NAME=VALUE")
    return {name: value for name, _, value in pairs}
