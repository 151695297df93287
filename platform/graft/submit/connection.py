"""The Jobs API of a Ray cluster (Ray 2.60), with one line for everything that can be wrong on the way to it."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from graft.core.errors import ResourceError, SpecError

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
# They tell of every package that is made and every connection that is closed.
_CHATTY = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
# What a head answers whose agents are still starting (Ray 2.60).
_NOT_YET = "No available agent"
# A dashboard on a busy head needs seconds.
CONNECT_S, ANSWER_S = 10.0, 60.0
_RETRY_S = (1.0, 2.0, 5.0, 10.0)

T = TypeVar("T")


def address_of(given: str | None) -> str:
    """The address of a cluster's Jobs API: what was given, else ``RAY_API_SERVER_ADDRESS``, else this machine's.

    Raises:
        SpecError: it is not one.
    """
    address = given or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError(
            f"address is `{address}`, but must be that of the cluster's dashboard, such as {DEFAULT_ADDRESS}; "
            "`ray dashboard CLUSTER_FILE` or `kubectl port-forward` brings it there"
        )
    if parts.username or parts.password:
        raise SpecError("address holds a login, but Ray asks for a token: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH")
    return address.rstrip("/")


class Cluster:
    """A connection to a cluster's Jobs API.

    Args:
        address: of its dashboard.

    Raises:
        ResourceError: nothing answers, it asks for another token, it is no cluster, or one of another version of Ray.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        os.environ.setdefault("RAY_AUTH_MODE", "token" if _has_token() else "disabled")
        from ray.job_submission import JobSubmissionClient

        _require_dashboard(address)
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        with _only(address):
            self._client = self._ask(lambda: JobSubmissionClient(address))
        self._require_version()

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

    def _require_version(self) -> None:
        import ray

        there = str(self._ask(lambda: self._client._do_request("GET", "/api/version").json()).get("ray_version"))
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
        kind = type(error).__name__
        if kind == "AuthenticationError" or "401" in text or "403" in text:
            has = "the one that is set is another" if _has_token() else "none is set here"
            told = f"the cluster at {self.address} asks for a token, and {has}"
            return ResourceError(f"{told}; set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's")
        if "413" in text:
            return ResourceError(f"the cluster at {self.address} takes no package of this size; name data in a store")
        if kind in ("ConnectionError", "ConnectTimeout", "ClientConnectorError", "ServerUnavailable"):
            return ResourceError(_nobody(self.address))
        return ResourceError(f"the cluster at {self.address} did not do it: {kind}: {text[:300]}")


def _nobody(address: str) -> str:
    told = f"no Ray cluster answers at {address}"
    return f"{told}; correct --address, or bring the dashboard there (`ray dashboard FILE`)"


def _require_dashboard(address: str) -> None:
    """Find out in time whether a dashboard of Ray seems to listen: Ray's own client waits for an answer for ever.

    Raises:
        ResourceError: it does not.
    """
    import requests

    advice = "correct --address (the dashboard's port is 8265 by default)"
    try:
        answer = requests.get(f"{address}/api/version", timeout=(CONNECT_S, ANSWER_S))
    except requests.exceptions.SSLError as error:
        reason = " ".join(str(error).split())[:200]
        raise ResourceError(f"what listens at {address} is not trusted by TLS ({reason}); {advice}") from error
    except requests.Timeout as error:
        raise ResourceError(f"what listens at {address} has not answered for {ANSWER_S:.0f} s; {advice}") from error
    except requests.RequestException as error:
        raise ResourceError(_nobody(address)) from error
    if answer.status_code not in (401, 403) and "ray_version" not in answer.text:
        raise ResourceError(f"what answers at {address} is no dashboard of Ray; {advice}")


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


def _has_token() -> bool:
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or os.path.exists(os.path.expanduser("~/.ray/auth_token"))


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
