"""The Jobs API of a Ray cluster (Ray 2.60), with one line for everything that can be wrong on the way to it."""

import asyncio
import contextlib
import functools
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from graft.core.errors import ResourceError
from graft.submit.endpoint import CONNECT_S, dashboard_version, nobody_at
from graft.submit.token import is_token_sent, why_refused

# They tell of every package that is made and every connection that is closed.
_CHATTY = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
# What a head answers whose agents are still starting (Ray 2.60).
_NOT_YET = "No available agent"
# Ray's own client waits for an answer for ever. One that takes a job needs its time on a busy head.
_LONGEST_S = 300.0
# How the libraries that Ray asks by tell what a server has said (requests, Ray 2.60).
_STATUS = re.compile(r"\bstatus code (\d{3})\b|\b(\d{3}) (?:Client|Server) Error")
_NOBODY = ("ConnectionError", "ConnectTimeout", "ClientConnectorError", "ServerUnavailable")
_NO_ANSWER_OF_RAY = ("JSONDecodeError", "ValidationError", "TypeError", "KeyError")
_RETRY_S = (1.0, 2.0, 5.0, 10.0)

T = TypeVar("T")


class Cluster:
    """A connection to a cluster's Jobs API.

    Args:
        address: of its dashboard.

    Raises:
        SpecError: this machine's token is none.
        ResourceError: nothing answers, it asks for another token, it is no cluster, or one of another version of Ray.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        is_sent = is_token_sent()
        if not os.environ.get("RAY_AUTH_MODE"):
            os.environ["RAY_AUTH_MODE"] = "token" if is_sent else "disabled"
        there = dashboard_version(address)
        if there is not None:
            self._require_version(there)
        from ray.job_submission import JobSubmissionClient

        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        with _only(address):
            self._client = self._ask(lambda: JobSubmissionClient(address))
        ask = functools.partial(self._client._do_request, timeout=(CONNECT_S, _LONGEST_S))
        self._client._do_request = ask
        if there is None:
            self._require_version(str(self._ask(lambda: ask("GET", "/api/version").json()).get("ray_version")))

    def submit(self, **request: Any) -> str:
        """`JobSubmissionClient.submit_job`; the id of the job. A cluster that has just started is given time.

        Raises:
            ResourceError: the cluster does not take it.
        """
        for wait in (*_RETRY_S, *_RETRY_S, None):
            try:
                return str(self._ask(lambda: self._client.submit_job(**request)))
            except ResourceError as error:
                if wait is None or _NOT_YET not in str(error):
                    raise
                time.sleep(wait)
        raise AssertionError

    def jobs(self) -> list[Any]:
        """`JobDetails` of all jobs that were submitted, oldest first."""
        found = [one for one in self._ask(self._client.list_jobs) if one.submission_id]
        return sorted(found, key=lambda one: one.start_time or 0)

    def stop(self, job: str) -> bool:
        """Whether there was something to stop."""
        return bool(self._ask(lambda: self._client.stop_job(job)))

    def delete(self, job: str) -> None:
        """Forget a job that has ended, so that its id is free."""
        self._ask(lambda: self._client.delete_job(job))

    def logs(self, job: str) -> str:
        """All that its driver has printed."""
        return str(self._ask(lambda: self._client.get_job_logs(job)))

    def follow(self, job: str, tell: Callable[[str], None]) -> Iterator[str]:
        """The lines that its driver prints, as they come, until it ends; goes on after a connection that breaks.

        Args:
            job: its submission id.
            tell: hears that the connection was lost, and is tried again.

        Raises:
            ResourceError: the cluster does not answer any more.
        """
        begun = ""
        for text in self._printed(job, tell):
            *lines, begun = (begun + text).split("\n")
            yield from lines
        if begun:
            yield begun

    def _printed(self, job: str, tell: Callable[[str], None]) -> Iterator[str]:
        """What is printed, in pieces: each letter once, although every connection begins with the first."""
        seen, lost = 0, 0
        while True:
            try:
                position = 0
                for text in _chunks(self._client.tail_job_logs(job)):
                    lost, position = 0, position + len(text)
                    if position > seen:
                        yield text[len(text) - (position - seen) :]
                        seen = position
                return
            except Exception as error:  # aiohttp and Ray have no root in common
                if lost == len(_RETRY_S):
                    raise self._told(error) from error
                tell(f"the connection to {self.address} was lost; trying again in {_RETRY_S[lost]:.0f} s")
                time.sleep(_RETRY_S[lost])
                lost += 1

    def resources(self) -> dict[str, float]:
        """Of all nodes together, by name; empty where the cluster does not say."""
        from ray.util.state import list_nodes

        nodes = self._ask(lambda: list_nodes(address=self.address, detail=True, raise_on_missing_output=False))
        total: dict[str, float] = {}
        for node in nodes:
            for name, amount in (node.resources_total or {}).items():
                total[name] = total.get(name, 0.0) + amount
        return total

    def _require_version(self, there: str) -> None:
        import ray

        if there != ray.__version__:
            raise ResourceError(
                f"the cluster at {self.address} has Ray {there}, but this machine has {ray.__version__}; a job is "
                "packed by the one and run by the other: install the same on both"
            )

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except ResourceError:
            raise
        except Exception as error:  # requests, aiohttp and Ray have no root in common
            raise self._told(error) from error

    def _told(self, error: Exception) -> ResourceError:
        text = " ".join(str(error).split())
        kind, status = type(error).__name__, _status_of(error)
        if kind == "AuthenticationError" or status in (401, 403):
            told = f"the cluster at {self.address} asks for a token, and {why_refused()}"
            return ResourceError(f"{told}; set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's")
        if status == 413:
            return ResourceError(f"the cluster at {self.address} takes no package of this size; name data in a store")
        if kind in _NOBODY:
            return ResourceError(nobody_at(self.address))
        if kind == "ReadTimeout":
            told = f"the cluster at {self.address} has not answered for {_LONGEST_S:.0f} s"
            return ResourceError(f"{told}; try again when its head is less busy")
        if kind in _NO_ANSWER_OF_RAY:
            told = f"what answers at {self.address} does not answer as the Jobs API of Ray does ({kind})"
            return ResourceError(f"{told}; if something stands between, name the dashboard itself with --address")
        return ResourceError(f"the cluster at {self.address} did not do it: {kind}: {text[:300]}")


def _status_of(error: Exception) -> int | None:
    """What the server has said, by HTTP's numbers; None where it has said none."""
    given = getattr(error, "status", None)  # aiohttp's
    if isinstance(given, int):
        return given
    found = _STATUS.search(str(error))
    return int(found[1] or found[2]) if found else None


@contextlib.contextmanager
def _only(address: str) -> Iterator[None]:
    """Ray's client prefers what these variables name to what it is given."""
    names = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["RAY_API_SERVER_ADDRESS"] = address
    try:
        yield
    finally:
        os.environ.pop("RAY_API_SERVER_ADDRESS")
        os.environ.update(before)


def _chunks(stream: Any) -> Iterator[str]:
    """An asynchronous iterator, as a plain one."""
    loop = asyncio.new_event_loop()
    try:
        while True:
            try:
                yield loop.run_until_complete(stream.__anext__())
            except StopAsyncIteration:
                return
    finally:
        loop.run_until_complete(stream.aclose())
        loop.close()
