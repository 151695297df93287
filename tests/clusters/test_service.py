"""The file of a service on Kubernetes: what we write is right, and each fault is found under its key."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from graft.clusters.check import check_file
from graft.clusters.make import SERVICE, SIZES, ClusterSettings, make_cluster_file
from graft.clusters.violation import Violation
from graft.spec.service import IMPORT_PATH, parse_service

Document = dict[str, Any]

FILE = Path(__file__).parents[2] / "cluster" / "kuberay" / "service.yaml"


def document(settings: ClusterSettings | None = None) -> Document:
    """Without the anchors that make parts of it the same object."""
    text = make_cluster_file(SERVICE, settings or ClusterSettings())
    made: Document = json.loads(json.dumps(yaml.safe_load(text)))
    return made


def served(manifest: Document) -> Document:
    found: Document = yaml.safe_load(manifest["spec"]["serveConfigV2"])["applications"][0]
    return found


def with_args(**args: Any) -> Callable[[Document], object]:
    def spoil(manifest: Document) -> None:
        application = served(manifest)
        application["args"] |= args
        manifest["spec"]["serveConfigV2"] = yaml.safe_dump({"applications": [application]})

    return spoil


def checked(given: Document, folder: Path) -> list[Violation]:
    file = folder / "service.yaml"
    file.write_text(yaml.safe_dump(given))
    return check_file(file)


def test_the_file_of_the_repository_is_what_is_written() -> None:
    made = make_cluster_file(SERVICE, ClusterSettings(size="small"))
    assert FILE.read_text() == made, f"graft cluster make {SERVICE} --size small > cluster/kuberay/service.yaml"


@pytest.mark.parametrize("home", ["/shared/graft", "s3://bucket/graft"])
@pytest.mark.parametrize("size", SIZES)
def test_what_we_write_is_right(size: str, home: str, tmp_path: Path) -> None:
    text = make_cluster_file(SERVICE, ClusterSettings(size=size, home=home, model="models:/photos/7"))
    assert not {"@", "#if"} & set(text.split())
    assert ("/shared" in text) == (home == "/shared/graft")
    (tmp_path / "service.yaml").write_text(text)
    assert check_file(tmp_path / "service.yaml") == []


def test_it_serves_what_was_asked_for() -> None:
    application = served(document(ClusterSettings(model="models:/photos/7", size="small")))
    service = parse_service(application["args"])
    assert application["import_path"] == IMPORT_PATH
    assert (service.model, service.max_replicas) == ("models:/photos/7", SIZES["small"].workers)


def test_a_pod_has_room_for_a_replica() -> None:
    manifest = document()
    (group,) = manifest["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    requests = group["template"]["spec"]["containers"][0]["resources"]["requests"]
    service = parse_service(served(manifest)["args"])
    assert float(requests["cpu"]) == service.cpus
    assert group["maxReplicas"] == service.max_replicas


def test_ray_serve_would_take_it() -> None:
    from ray.serve.schema import ServeDeploySchema

    read = ServeDeploySchema.model_validate(yaml.safe_load(document()["spec"]["serveConfigV2"]))
    assert [one.import_path for one in read.applications] == [IMPORT_PATH]


CONFIG, ARGS = "spec.serveConfigV2", "spec.serveConfigV2.applications.0.args"
FAULTS: Mapping[str, tuple[str, Callable[[Document], object]]] = {
    "no configuration": (CONFIG, lambda m: m["spec"].pop("serveConfigV2")),
    "no YAML": (CONFIG, lambda m: m["spec"].update(serveConfigV2="applications: [")),
    "no application": (CONFIG, lambda m: m["spec"].update(serveConfigV2="applications: []")),
    "an alias": (f"{ARGS}.model", with_args(model="models:/digits@champion")),
    "no version": (f"{ARGS}.model", with_args(model="models:/digits")),
    "no such address": (f"{ARGS}.model", with_args(model="models:/digits/three")),
    "an unknown argument": (f"{ARGS}.batch", with_args(batch=8)),
    "a wrong argument": (f"{ARGS}.batch_size", with_args(batch_size=0)),
    "no token": ("spec.rayClusterConfig.authOptions.mode", lambda m: m["spec"]["rayClusterConfig"].pop("authOptions")),
    "a public service": (
        "spec.rayClusterConfig.headGroupSpec.serviceType",
        lambda m: m["spec"]["rayClusterConfig"]["headGroupSpec"].update(serviceType="LoadBalancer"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, tmp_path: Path) -> None:
    key, spoil = FAULTS[name]
    manifest = document()
    spoil(manifest)
    found = checked(manifest, tmp_path)
    assert [one.key for one in found] == [key]
    assert found[0].rule
    assert found[0].fix


def test_applications_of_others_are_left_to_ray(tmp_path: Path) -> None:
    manifest = document()
    config = {"applications": [{"name": "x", "import_path": "mine:app", "args": {"model": "models:/x@champion"}}]}
    manifest["spec"]["serveConfigV2"] = yaml.safe_dump(config)
    assert checked(manifest, tmp_path) == []
