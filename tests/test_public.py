"""What `import graft` offers."""

import subprocess
import sys
from pathlib import Path

import pytest

import graft

HEAVY = ("torch", "ray", "mlflow", "numpy", "pandas", "pydantic", "yaml", "typer")


def test_the_public_names_and_nothing_else():
    assert dir(graft) == sorted(graft.__all__, key=lambda name: name)
    assert set(dir(graft)) >= {"load", "run", "Predictor", "Result", "GraftError", "__version__"}
    assert not {"Any", "import_module", "TYPE_CHECKING"} & set(dir(graft))


@pytest.mark.parametrize(
    "name", [name for name in graft.__all__ if name not in ("Result", "run", "load", "RunOptions")]
)
def test_every_one_is_there(name):
    assert getattr(graft, name).__name__ == name if name != "__version__" else graft.__version__


def test_what_is_not_public_is_not_there():
    with pytest.raises(AttributeError, match="module 'graft' has no attribute 'fit'"):
        graft.fit  # noqa: B018


def test_importing_it_imports_nothing_heavy():
    program = "import sys, graft; dir(graft); print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(HEAVY)


def test_it_is_typed():
    assert Path(graft.__file__).with_name("py.typed").is_file()
