"""What the RayService of cluster/ serves, deployed by Ray's own command on a real Ray that asks for a token.

KubeRay hands `serveConfigV2` to the same endpoint of the head that `serve deploy` sends its file to.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.fixtures.bundles import write_tiny_bundle
from tests.fixtures.clusters import Head, free_port, head_with_token, wait_until
from tests.fixtures.scoring_requests import asked, cell, png

from graft.clusters.make import SERVICE, ClusterSettings, make_cluster_file
from graft.serving.predictor import Predictor

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SERVE = (sys.executable, "-c", "from ray.serve.scripts import cli; cli()")
IMAGE = png(0)


@dataclass(frozen=True)
class Deployed:
    """The service on a head."""

    head: Head
    port: int

    def deploy(self, bundle: Path, folder: Path) -> None:
        """Send what the manifest has, with what a node of two CPUs has room for, and a port of its own."""
        settings = ClusterSettings(size="small", model=str(bundle))
        config = yaml.safe_load(yaml.safe_load(make_cluster_file(SERVICE, settings))["spec"]["serveConfigV2"])
        config["applications"][0]["args"] |= {"cpus": 0.25, "min_replicas": 2, "max_replicas": 2}
        config["http_options"] = {"host": "127.0.0.1", "port": self.port}
        file = folder / "serve.yaml"
        file.write_text(yaml.safe_dump(config))
        done = subprocess.run(
            [*SERVE, "deploy", str(file), "-a", self.head.address],
            env=self.head.outside, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def ask(self) -> tuple[int, str]:
        """Status and answer to one image; 0 while nothing listens."""
        request = asked(cell(IMAGE))
        address = f"http://127.0.0.1:{self.port}/invocations"
        sent = urllib.request.Request(address, request.body, {"content-type": request.content_type})
        try:
            with urllib.request.urlopen(sent) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def answers(self, probability: float) -> bool:
        """Whether it answers, and with that probability."""
        status, text = self.ask()
        return status == 200 and probability_in(text) == pytest.approx(probability, abs=1e-6)

    def processes(self) -> set[int]:
        """Of the replicas that run."""
        token = {"Authorization": f"Bearer {self.head.outside['RAY_AUTH_TOKEN']}"}
        request = urllib.request.Request(f"{self.head.address}/api/serve/applications/", headers=token)
        with urllib.request.urlopen(request) as answer:
            told: dict[str, Any] = json.load(answer)
        replicas = told["applications"]["graft"]["deployments"]["answers"]["replicas"]
        return {one["pid"] for one in replicas if one["state"] == "RUNNING"}


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    with (
        tempfile.TemporaryDirectory(prefix="gs") as name,  # short: Ray puts sockets below it
        head_with_token(Path(name), secrets.token_hex(32)) as head,
    ):
        yield Deployed(head, free_port())


def test_the_service_of_the_manifest_outlives_a_replica_and_a_new_champion(deployed: Deployed, tmp_path: Path) -> None:
    first, second = (write_tiny_bundle(tmp_path / name, seed) for seed, name in enumerate(("first", "second")))
    deployed.deploy(first, tmp_path)
    wait_until(lambda: deployed.answers(said(first)), "the service answers")
    wait_until(lambda: len(deployed.processes()) == 2, "both replicas are there")

    before = deployed.processes()
    os.kill(min(before), signal.SIGKILL)
    statuses = []
    while not deployed.processes() - before:
        statuses.append(deployed.ask()[0])
    assert set(statuses) <= {200, 500}
    assert statuses.count(500) <= 1, "only what the dead replica had can be lost"
    wait_until(lambda: len(deployed.processes()) == 2, "another has taken its place")

    is_new, told = threading.Event(), []

    def go_on() -> None:
        while not is_new.is_set():
            told.append(deployed.ask())

    asking = threading.Thread(target=go_on)
    asking.start()
    try:
        deployed.deploy(second, tmp_path)
        wait_until(lambda: deployed.answers(said(second)), "the new champion answers")
    finally:
        is_new.set()
        asking.join()
    assert {status for status, _ in told} == {200}, "no request is lost"
    known = [said(first), said(second)]
    assert all(any(probability_in(text) == pytest.approx(one, abs=1e-6) for one in known) for _, text in told)


def said(bundle: Path) -> float:
    """What `graft predict` says; with one thread, as a replica with less than two CPUs has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    (found,) = Predictor.from_directory(bundle).predict([IMAGE])
    torch.set_num_threads(threads)
    return found.probability or 0.0


def probability_in(text: str) -> float:
    found: float = json.loads(text)["predictions"][0]["probability"]
    return found
