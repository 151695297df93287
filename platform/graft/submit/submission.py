"""How a job is sent, and what of that can be refused before anything is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graft.core.credentials import credential_in, is_secret
from graft.core.errors import Problem, SpecError
from graft.core.stores.address import HomeAddress
from graft.core.uris import scheme_of
from graft.experiments.directory import require_name

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Submission:
    """How a job is sent.

    Attributes:
        experiment: its name; None makes one of the job's name and the time.
        home: where the cluster keeps everything; None is the `GRAFT_HOME` of its nodes.
        environment: variables for the driver and all its workers. Whoever sees the dashboard can read them.
        data_on_cluster: the data's path is one of the cluster's.
    """

    experiment: str | None = None
    home: str | None = None
    environment: Mapping[str, str] | None = None
    data_on_cluster: bool = False


def require_sendable(submission: Submission) -> None:
    """Look at what a submission says beside the job and its data.

    Raises:
        SpecError: a variable has no name of one, or holds a secret; no home can be there; or no experiment can be
            called so.
    """
    if submission.experiment:
        require_name(submission.experiment)
    _require_variables(submission.environment or {})
    _require_home(submission.home)


def _require_variables(environment: Mapping[str, str]) -> None:
    problems = [
        Problem("", f"--env has the name `{name}`, but must have letters, digits and `_` before `=`; correct it")
        for name in environment
        if not _VARIABLE.fullmatch(name)
    ]
    problems += [
        Problem("", f"{name} is or holds a secret, which the dashboard would show; set it on the cluster's nodes")
        for name, value in environment.items()
        if is_secret(name) or credential_in(value)
    ]
    if problems:
        raise SpecError(problems)


def _require_home(home: str | None) -> None:
    """A folder that a path begins in is the job's own, which is deleted with the job."""
    if home is None:
        return
    if scheme_of(home):
        HomeAddress.of(home)
    elif not home.startswith(("/", "~")) or not home.isprintable():
        told = f"home is `{home}`, but must be a path from the root that all nodes share, or the address of a store"
        raise SpecError(f"{told}; write /PATH or s3://BUCKET/PREFIX, or leave it out for the nodes' GRAFT_HOME")
