import json
import shutil
import socket
import sys

import pytest
import yaml

from graft.pipeline.serving import running
from graft.spec.service import IMPORT_PATH, parse_service


def test_the_file_for_serve_deploy_is_printed(graft, bundle, home):
    done = graft("serve", bundle, "--set", "max_replicas=8", "--config")
    assert (done.exit_code, done.err) == (0, "")
    (application,) = yaml.safe_load(done.out)["applications"]
    assert (application["import_path"], application["route_prefix"]) == (IMPORT_PATH, "/")
    assert parse_service(application["args"]) == parse_service({"model": str(bundle), "max_replicas": 8})


@pytest.mark.parametrize("model", ["nothing_of_this_name", "models:/digits@champion"])
def test_a_model_that_is_not_there_is_told_in_a_line(graft, home, model):
    done = graft("serve", model)
    assert (done.exit_code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert model in done.err


def test_a_folder_that_is_no_bundle_is_told(graft, home, tmp_path):
    done = graft("serve", tmp_path)
    assert (done.exit_code, len(done.err.splitlines())) == (2, 1)
    assert "is not a bundle" in done.err


def test_a_bundle_of_a_newer_format_is_told_before_ray_starts(graft, home, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "ray_session", lambda: pytest.fail("Ray starts"))
    newer = shutil.copytree(bundle, tmp_path / "newer")
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    done = graft("serve", newer, "--json")
    assert (done.exit_code, done.err) == (1, "")
    assert done.json["error"] == f"bundle {newer} has format 99, but this graft reads up to 3; upgrade graft"


def test_a_port_that_is_taken_is_told_before_ray_starts(graft, home, bundle, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = graft("serve", bundle, "--port", port)
    assert (done.exit_code, done.out) == (3, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"graft: port {port} cannot be used (")
    assert line.endswith("choose another with --port")


def test_a_missing_extra_is_told_in_a_line(graft, home, bundle, monkeypatch):
    for name in [one for one in sys.modules if one.startswith(("ray.serve", "grpc_reflection"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc_reflection", None)
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    done = graft("serve", bundle)
    assert (done.exit_code, done.out) == (3, "")
    assert done.err == "graft: Ray Serve needs ray.serve, which is missing; `pip install 'graft[serve]'`\n"


def test_a_wrong_setting_is_told_by_its_key(graft, home, bundle):
    done = graft("serve", bundle, "--set", "batch_size=0", "--json")
    assert done.exit_code == 2
    assert json.loads(done.out)["problems"] == ["--set batch_size: is 0, but must be between 1 and 4096"]
