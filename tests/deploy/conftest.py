"""The files of deploy/, and the tools that read them: wheels of the extra `test` that hold the real programs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., str]


@pytest.fixture(scope="session")
def deploy(repository: Path) -> Path:
    """The folder deploy/."""
    return repository / "deploy"


@pytest.fixture(scope="session")
def tool() -> Run:
    """``tool("hadolint", file)``: what a program of the test environment prints; it must end well."""

    def run(name: str, *arguments: object, **environment: str) -> str:
        program = Path(sys.executable).with_name(name)
        command = [str(program), *map(str, arguments)]
        clean = {"PATH": str(program.parent), "HOME": "/nonexistent", **environment}
        done = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
