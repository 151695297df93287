import subprocess
import sys
from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.search.searchers.build import build_searcher
from graft.search.searchers.random import RandomSearch
from graft.spec.load import parse_job
from graft.spec.registry import members
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named


def test_a_searcher_is_found_by_its_kind() -> None:
    assert tuple(sorted(members("searcher"))) == ("bohb", "cmaes", "grid", "meta", "random", "sobol", "tpe")
    assert isinstance(build_searcher(RandomSearcher(), StrategySpace(), metric_named("loss"), 0), RandomSearch)


def test_an_unknown_kind_is_told_with_the_nearest_one() -> None:
    with pytest.raises(SpecError, match=r"searcher: is `sobolev`, but must be one of .*; did you mean `sobol`\?"):
        parse_job({"name": "x", "data": "digits", "search": {"searcher": "sobolev"}})


def test_random_and_grid_search_import_no_numerics(repository: Path) -> None:
    check = (
        "import sys; import graft.search.proposer\n"
        "from graft.search.searchers.build import build_searcher\n"
        "from graft.spec.search.searchers import GridSearcher, RandomSearcher\n"
        "from graft.spec.space.space import StrategySpace\n"
        "from graft.spec.tasks.lookup import metric_named\n"
        "for spec in (RandomSearcher(), GridSearcher()):\n"
        "    build_searcher(spec, StrategySpace(), metric_named('loss'), 0)\n"
        "print([name for name in ('optuna', 'scipy', 'cmaes', 'numpy', 'torch', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=repository / "platform")
    assert done.stdout.strip() == "[]", done.stderr
