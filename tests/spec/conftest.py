"""What graft says of a job file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.spec.load import load_job

Told = Callable[..., list[str]]


@pytest.fixture
def told_of(tmp_path: Path) -> Told:
    """``told_of("search:", "  population: 1")``: the problems of a job that has these lines from line 3 on."""

    def problems(*lines: str) -> list[str]:
        path = tmp_path / "x.yaml"
        path.write_text("\n".join(["name: x", "data: digits", *lines, ""]), encoding="utf-8")
        with pytest.raises(SpecError) as caught:
            load_job(path)
        return [str(problem).replace(str(path), "x.yaml") for problem in caught.value.problems]

    return problems
