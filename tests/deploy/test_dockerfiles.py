"""The Dockerfiles: linted by hadolint, nobody is root, and what they copy is there."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.deploy.conftest import Run

from graft.clusters.make import ClusterSettings

FILES = {"Dockerfile": ".", "mlflow/Dockerfile": "deploy/mlflow"}
"""Each, with the folder that it is built from."""


@pytest.mark.parametrize("file", FILES)
def test_hadolint_finds_nothing(deploy: Path, tool: Run, file: str) -> None:
    assert tool("hadolint", "--failure-threshold", "style", deploy / file) == ""


def test_hadolint_finds_what_is_planted(deploy: Path, tool: Run, tmp_path: Path) -> None:
    faulty = tmp_path / "Dockerfile"
    source = (deploy / "Dockerfile").read_text()
    faulty.write_text(source.replace("--no-install-recommends ", "").replace("WORKDIR /source", "RUN cd /source"))
    with pytest.raises(AssertionError, match=r"DL3015(.|\n)*|DL3003"):
        tool("hadolint", "--failure-threshold", "style", faulty)


@pytest.mark.parametrize("file", FILES)
def test_every_stage_that_is_shipped_is_a_users(deploy: Path, file: str) -> None:
    stages = stages_of((deploy / file).read_text())
    shipped = ["cpu", "cuda"] if file == "Dockerfile" else [list(stages)[-1]]
    for name in shipped:
        lines = stages[name]
        while not any(line.startswith("USER ") for line in lines):
            parent = lines[0].split()[1]
            assert parent in stages, f"{name} runs as root"
            lines = stages[parent]
        assert [line for line in lines if line.startswith("USER ")][-1] == "USER 1000:1000"


@pytest.mark.parametrize("file", FILES)
def test_bases_are_pinned_and_no_secret_is_an_argument(deploy: Path, file: str) -> None:
    source = (deploy / file).read_text()
    version = re.search(r"^ARG PYTHON=(\d+\.\d+\.\d+)-", source, re.MULTILINE)
    assert version, "a base names the whole version"
    assert set(re.findall(r"^FROM (\S+)", source, re.MULTILINE)) <= {"python:${PYTHON}", "runtime"}
    assert not re.search(r"^(?:ARG|ENV) .*(?:PASSWORD|SECRET|TOKEN)", source, re.MULTILINE)


@pytest.mark.parametrize(("file", "folder"), FILES.items())
def test_what_is_copied_is_there_and_not_left_out(repository: Path, deploy: Path, file: str, folder: str) -> None:
    ignored = deploy / ("Dockerfile.dockerignore" if file == "Dockerfile" else "mlflow/.dockerignore")
    let_in = {line[1:] for line in ignored.read_text().splitlines() if line.startswith("!")}
    copied = [
        name.rstrip("/")
        for line in (deploy / file).read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    assert copied
    assert [name for name in copied if not (repository / folder / name).exists()] == []
    assert set(copied) == let_in
    assert "*" in ignored.read_text().splitlines(), "all else stays out"


def test_images_are_built_under_the_names_that_are_started(deploy: Path) -> None:
    compose = yaml.safe_load((deploy / "compose" / "compose.yaml").read_text())["services"]
    assert compose["head"]["image"] == ClusterSettings().container
    assert compose["head"]["build"]["target"] in stages_of((deploy / "Dockerfile").read_text())
    assert compose["head"]["build"]["dockerfile"] == "deploy/Dockerfile"


# Top-level names that Ray's launcher imports, and the distributions that have them.
LAUNCHER = {
    "azure.common": "azure-common", "azure.identity": "azure-identity", "azure.mgmt.compute": "azure-mgmt-compute",
    "azure.mgmt.network": "azure-mgmt-network", "azure.mgmt.resource": "azure-mgmt-resource", "boto3": "boto3",
    "googleapiclient": "google-api-python-client", "google_auth_httplib2": "google-auth-httplib2",
}  # fmt: skip
# They come with the above: azure-core, botocore, google-auth.
DEPENDENCIES = ("azure.core", "botocore", "google.oauth2")


def test_the_head_has_what_rays_autoscaler_imports_of_each_cloud(repository: Path, deploy: Path) -> None:
    """Else `ray up` brings a head that never starts a node: its monitor ends with an ImportError."""
    found = importlib.util.find_spec("ray")
    folder = Path(str(found and found.origin)).parent / "autoscaler" / "_private"
    imported = {
        name for cloud in ("aws", "gcp", "_azure") for file in (folder / cloud).glob("*.py") for name in of(file)
    }
    of_clouds = {name for name in imported if name.split(".")[0] in {"azure", "boto3", "google", "googleapiclient"}}
    named = {name for name in of_clouds if not name.startswith(DEPENDENCIES)} | {"google_auth_httplib2"} & imported
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    launch = {re.split(r"[>=<\[]", one)[0] for one in extras["launch"]}
    assert {next(to for start, to in LAUNCHER.items() if name.startswith(start)) for name in named} <= launch
    for line in (line for line in (deploy / "Dockerfile").read_text().splitlines() if "graft-*.whl" in line):
        assert "launch" in line[line.index("[") :].split("]")[0].strip("[").split(",")


def of(file: Path) -> set[str]:
    """What a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.slow
def test_the_wheel_of_the_image_has_all_that_graft_needs(repository: Path, tmp_path: Path) -> None:
    """The step `pip wheel` on what the stage copies; installed beside the packages of this environment, and used."""
    source = stages_of((repository / "deploy" / "Dockerfile").read_text())["wheel"]
    for line in (line for line in source if line.startswith("COPY ")):
        *names, target = line.split()[1:]
        for name in names:
            place = tmp_path / "source" / target
            here = repository / name
            shutil.copytree(here, place) if here.is_dir() else shutil.copy(here, made(place) / name)
    step = next(line.removeprefix("RUN ") for line in source if line.startswith("RUN "))
    sh(
        step.replace("pip wheel", f"{sys.executable} -m pip wheel").replace("/wheels", str(tmp_path)),
        tmp_path / "source",
    )
    (wheel,) = tmp_path.glob("graft-*.whl")
    sh(f"{sys.executable} -m venv {tmp_path}/venv && {tmp_path}/venv/bin/pip install -q --no-deps {wheel}", tmp_path)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    tracked = sh("git ls-files platform/graft", repository).split()
    assert [name for name in tracked if not (site / name.removeprefix("platform/")).exists()] == []
    graft = tmp_path / "venv" / "bin" / "graft"
    told = sh(f"{graft} cluster make kuberay > cluster.yaml && {graft} cluster check cluster.yaml", tmp_path)
    assert "no problem found" in told


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sh(script: str, folder: Path) -> str:
    done = subprocess.run(["sh", "-ceu", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stages_of(source: str) -> dict[str, list[str]]:
    """Stage -> its lines, from its FROM on; one without a name is called by its place."""
    found: dict[str, list[str]] = {}
    for line in source.splitlines():
        if line.startswith("FROM "):
            name = line.split(" AS ")[1] if " AS " in line else str(len(found))
            found[name] = []
        if found:
            list(found.values())[-1].append(line)
    return found
