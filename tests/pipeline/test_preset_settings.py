"""What a user's shell and working directory hold: named where Ray cannot be started with it, or kept from workers."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import ray

from graft.core.errors import ResourceError
from graft.pipeline.ray_session import job_config, preset_settings, ray_session


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)


def test_settings_of_ours_are_none_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preset_settings() == ""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_CLIENT_MODE", "0")
    assert preset_settings() == ""
    monkeypatch.setenv("RAY_TMPDIR", "/nowhere")
    assert preset_settings() == "; set here: RAY_TMPDIR, which may be the reason"


@pytest.mark.parametrize(
    "error",
    [
        OSError("AF_UNIX path too long"),
        ModuleNotFoundError("No module named 'hook'"),
        ValueError(""),
        AttributeError("x"),
    ],
)
def test_a_session_that_does_not_start_names_them(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setenv("RAY_RUNTIME_ENV_HOOK", "hook.hook")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    with (
        pytest.raises(
            ResourceError, match=r"Ray cannot be started on this machine \(.+\); set here: RAY_RUNTIME_ENV_HOOK"
        ),
        ray_session(),
    ):
        pytest.fail("it has started")


@pytest.mark.parametrize("is_searched", [True, False])
def test_workers_search_modules_where_the_driver_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_searched: bool
) -> None:
    """With the call that Ray makes (`ray._private.worker.connect`)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/scripts", *([""] if is_searched else []), "/site-packages"])
    config = job_config()
    config._py_driver_sys_path.extend(["/scripts", os.path.abspath(os.path.curdir)])
    wanted = ["/scripts", str(tmp_path)] if is_searched else ["/scripts"]
    assert list(config._get_proto_job_config().py_driver_sys_path) == wanted
