import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "ray", "mlflow", "transformers", "timm", "numpy", "pandas", "sklearn", "PIL", "rich")


@pytest.mark.parametrize("module", ["graft.spec.load", "graft.spec.schema"])
def test_nothing_heavy_is_imported(module: str) -> None:
    """`graft validate` answers within a second; each of these alone costs that."""
    program = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)
