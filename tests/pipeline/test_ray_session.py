import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graft.core.errors import ResourceError
from graft.pipeline import ray_session as sessions
from graft.pipeline.ray_session import WORKER_ENVIRONMENT, check_cluster, ray_session
from graft.search import tuner


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_nobody_else_reaches_a_session_of_ours() -> None:
    import ray

    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
    assert str(ray.get_runtime_context().gcs_address).startswith("127.0.0.1:")
    sockets = Path(ray.nodes()[0]["ObjectStoreSocketName"]).parent
    place = sockets.parent.parent.parent
    assert place.name.startswith("graft-ray-")
    assert place.stat().st_mode & 0o777 == 0o700
    ours = _listening_addresses()
    assert ours
    assert ours <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def _listening_addresses() -> set[str]:
    """Of this process and all below it."""
    import psutil

    here = psutil.Process()
    pids = {here.pid, *(child.pid for child in here.children(recursive=True))}
    return {
        one.laddr.ip for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.pid in pids
    }


@pytest.mark.parametrize(("mode", "told"), [("disabled", True), ("DISABLED", True), ("token", False), ("", False)])
def test_a_ray_without_login_is_said_aloud(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str, told: bool
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    check_cluster()
    assert ("RAY_AUTH_MODE is disabled" in caplog.text) is told


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (Exception("The current node timed out during startup."), r"; \d+ processes want the \d+ CPUs .*"),
        (ValueError("no"), ""),
    ],
)
def test_a_ray_that_does_not_start_is_the_machine_s_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception, advice: str
) -> None:
    import ray

    def init(**settings: object) -> None:
        raise error

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    with (
        pytest.raises(ResourceError, match=rf"^Ray cannot be started on this machine \({error}\){advice}$"),
        ray_session(),
    ):
        pass


@pytest.fixture
def own_handler() -> Iterator[None]:
    """A program that hears SIGTERM."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("own_handler")
def test_whoever_works_on_after_ray_still_hears_termination(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ray 2.60 takes the handler from the system as it ends, where Python does not see it."""
    import ray

    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: libc.signal(signal.SIGTERM, None))
    monkeypatch.setattr(sessions, "ray_directory", lambda logs: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(sessions, "_start", lambda address, directory: None)
    monkeypatch.setattr(sessions, "_resources", lambda: None)
    with ray_session():
        assert _catches(signal.SIGTERM)
    assert _catches(signal.SIGTERM)


def _catches(number: int) -> bool:
    """Whether the system calls a handler of this process, whatever Python thinks."""
    told = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("SigCgt:"))
    return bool(int(told.split()[1], 16) >> (number - 1) & 1)


def test_tune_puts_no_keys_into_the_environment_of_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.tune.execution import class_cache

    names = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", {*names, "RAY_TRAIN_V2_ENABLED"})
    for name in names:
        monkeypatch.setitem(os.environ, name, "canary")
    given: list[dict[str, str]] = []

    def remote(**how: dict[str, dict[str, str]]) -> type:
        given.append(how["runtime_env"]["env_vars"])
        return type

    monkeypatch.setattr(class_cache.ray, "remote", remote)
    tuner._keep_secrets_at_home()
    class_cache._ActorClassCache().get(int)
    assert given
    assert "canary" not in given[0].values()
    assert {"RAY_TRAIN_V2_ENABLED"} == class_cache.ENV_VARS_TO_PROPAGATE


def test_workers_keep_the_memory_that_they_free() -> None:
    program = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes, size = ctypes.c_void_p, [ctypes.c_void_p], 64 << 20
block = libc.malloc(ctypes.c_size_t(size))
ctypes.memset(block, 1, size)
libc.free(block)
print(int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20)
"""

    def held(**more: str) -> int:
        environment = {name: value for name, value in os.environ.items() if name not in WORKER_ENVIRONMENT}
        told = subprocess.run(
            [sys.executable, "-c", program], env={**environment, **more}, capture_output=True, text=True
        )
        return int(told.stdout)

    assert held() < 64 <= held(**WORKER_ENVIRONMENT)
