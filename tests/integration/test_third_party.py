"""A package of somebody else is installed, and a job runs with a component of every kind from it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from graft.spec.registry import GROUPS

PACKAGE = "graft_flowers"
FAULTS = {
    "raises": (
        "def make(spec, parts):\n    raise RuntimeError('no luck')\n",
        "cannot be built (RuntimeError: no luck)",
    ),
    "signature": ("def make():\n    return None\n", "does not take the 2 arguments that it is given"),
    "import": ("import a_module_that_is_not_there\n", "cannot be imported from broken_penalty.code:make"),
}


def wheel(source: Path, target: Path, name: str, entry_points: str) -> Path:
    """A wheel as any build tool would make it of a folder of modules."""
    path, info = target / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(source.glob("*.py")):
            archive.write(file, f"{name}/{file.name}")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", entry_points)
        archive.writestr(f"{info}/RECORD", "")
    return path


def install(path: Path, site: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(site),
        path,
    ]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    source, place = repository / "tests" / "assets" / PACKAGE, tmp_path_factory.mktemp("site")
    install(wheel(source, place, PACKAGE, (source / "entry_points.txt").read_text()), place / "packages")
    return place / "packages"


def graft(repository: Path, site: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(repository / "platform")])
    command = [sys.executable, "-c", "from graft.cli.main import main; main()", *arguments]
    environment = {**os.environ, "PYTHONPATH": path, "GRAFT_HOME": str(home), "RAY_ADDRESS": ""}
    environment.pop("RAY_ADDRESS")
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home)


def test_every_group_has_a_component_of_the_package(repository: Path, site: Path, tmp_path: Path) -> None:
    done = graft(repository, site, tmp_path, "components", "--json")
    listed = json.loads(done.stdout)["components"]
    assert {one["group"] for one in listed if one["package"] == PACKAGE} == {*GROUPS, "backbone"}
    assert all(one["doc"] for one in listed)


def test_the_schema_knows_them(repository: Path, site: Path, tmp_path: Path) -> None:
    text = graft(repository, site, tmp_path, "schema").stdout
    assert '"squared_probability"' in text
    assert '"even_only"' in text


def test_the_components_keep_the_contracts(repository: Path, site: Path, tmp_path: Path) -> None:
    listed = json.loads(graft(repository, site, tmp_path, "components", "--json").stdout)["components"]
    kinds = " or ".join(f"-{one['kind']}" for one in listed if one["package"] == PACKAGE and one["group"] in GROUPS)
    kinds += " or [sorting] or [measurements]"
    suites = ("components", "tasks", "modalities", "checks")
    contracts = [repository / "tests" / "contracts" / f"test_{name}.py" for name in suites]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not ray",
        f"-k={kinds}",
        *contracts,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(repository / "platform")])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=repository, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(done.stdout.rpartition(" passed")[0].split()[-1]) > 3 * len(GROUPS)


@pytest.mark.slow
@pytest.mark.ray
def test_a_job_runs_with_all_of_them(repository: Path, site: Path, tmp_path: Path) -> None:
    job = repository / "tests" / "assets" / PACKAGE / "job.yaml"
    done = graft(repository, site, tmp_path, "run", str(job), "--json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["task"], found["modalities"], found["metric"]) == ("sorting", ["measurements"], "sorted_well")
    assert found["trials"]["failed"] == 0
    assert found["trials"]["stopped"] == 2, "the scheduler stops every second trial"
    assert found["winner"]["penalty"]["kind"] == "root"
    assert found["test"] > 0.6
    assert "weights.safetensors" in (Path(found["exports"]["listing"]) / "files.txt").read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_component_is_one_line(repository: Path, tmp_path: Path, fault: str) -> None:
    code, told = FAULTS[fault]
    source = tmp_path / "broken_penalty"
    source.mkdir()
    (source / "__init__.py").write_text(
        "from typing import ClassVar, Literal\n"
        "from graft.spec.components.penalty import PenaltySpec\n\n\n"
        "class Broken(PenaltySpec):\n"
        "    kind: Literal['broken'] = 'broken'\n"
        "    built_by: ClassVar[str] = 'broken_penalty.code:make'\n"
    )
    (source / "code.py").write_text(code)
    points = "[graft.penalty]\nbroken = broken_penalty:Broken\n"
    install(wheel(source, tmp_path, "broken_penalty", points), tmp_path / "packages")
    job = tmp_path / "job.yaml"
    job.write_text(yaml.safe_dump({"name": "x", "data": "digits", "strategy": {"penalty": "broken"}}))
    done = graft(repository, tmp_path / "packages", tmp_path, "run", str(job))
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("graft: ")]
    assert len(lines) == 1
    assert "`broken` of package broken_penalty" in lines[0]
    assert told in lines[0]
