import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.search.searchers.build import SEARCHERS, build_searcher
from graft.search.searchers.random import RandomSearch
from graft.spec.metrics import METRICS
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.space import StrategySpace


@dataclass(frozen=True)
class Foreign:
    kind: str


def test_a_searcher_is_found_by_its_kind() -> None:
    assert SEARCHERS.names() == ("bohb", "cmaes", "grid", "random", "sobol", "tpe")
    assert isinstance(build_searcher(RandomSearcher(), StrategySpace(), METRICS["loss"], 0), RandomSearch)


def test_an_unknown_kind_is_told_with_the_nearest_one() -> None:
    with pytest.raises(SpecError, match=r"searcher is `sobolev`, but must be one of .*; did you mean `sobol`\?"):
        build_searcher(Foreign("sobolev"), StrategySpace(), METRICS["loss"], 0)


def test_random_and_grid_search_import_no_numerics(repository: Path) -> None:
    check = (
        "import sys; from graft.search.searchers.build import SEARCHERS; import graft.search.proposer\n"
        "SEARCHERS.get('random'), SEARCHERS.get('grid')\n"
        "print([name for name in ('optuna', 'scipy', 'cmaes', 'numpy', 'torch', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=repository / "platform")
    assert done.stdout.strip() == "[]", done.stderr
