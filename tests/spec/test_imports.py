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


JOBS = {
    "digits": {"data": "digits", "strategy": {"augment": "light"}},
    "image_folder": {"data": {"kind": "image_folder", "path": "/nowhere"}, "strategy": {"resolution": 96}},
    "table": {"data": {"kind": "table", "path": "/nowhere.csv", "text": "t", "label": "y"}, "task": "regression"},
}


@pytest.mark.parametrize("job", JOBS)
def test_no_job_needs_anything_heavy_to_be_read(job: str) -> None:
    """Whatever its kind of data, its task and its components: what they are built by is imported when it is built."""
    program = f"""
import sys
from graft.spec.load import parse_job
from graft.spec.registry import GROUPS, members
job = parse_job({{"name": "x", **{JOBS[job]!r}}})
parse_job(job.model_dump(mode="json"))
for group in GROUPS:
    members(group)
print(*sorted({{name.split('.')[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)
