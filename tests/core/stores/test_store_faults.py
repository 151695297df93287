"""What every store that is reached by a network keeps to when something is wrong (`core.stores.storage.Storage`)."""

import base64
import contextlib
import hashlib
import json
import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.fixtures.azure_store import AzureServer
from tests.fixtures.homes import ENDPOINTS, Node
from tests.fixtures.stores import Gate, serving

from graft.core.errors import GraftError, ResourceError, SpecError
from graft.core.stores import azure, s3
from graft.core.stores.address import HomeAddress
from graft.core.stores.copy import Copy, bring, publish, require_conditional
from graft.core.stores.storage import ConflictError, Storage, StorageError, StorageFault


@pytest.fixture
def storage(gate: Gate, object_home: str) -> Storage:
    return HomeAddress.of(object_home).storage()


def test_of_a_write_whose_answer_was_lost_the_content_tells(storage: Storage, gate: Gate) -> None:
    gate.to_lose = 1
    # A library that has asked again was refused by its own write.
    with contextlib.suppress(ConflictError, StorageError):
        storage.create("lease", b"mine")
    assert gate.to_lose == 0
    with pytest.raises(ConflictError):
        storage.create("lease", b"mine")
    content, tag = storage.read("lease") or (b"", "")
    assert content == b"mine"
    gate.to_lose = 1
    with contextlib.suppress(ConflictError, StorageError):
        storage.replace("lease", b"mine again", tag)
    with pytest.raises(ConflictError):
        storage.replace("lease", b"mine again", tag)
    assert (storage.read("lease") or (b"",))[0] == b"mine again"


def test_a_store_behind_a_cut_cable_is_away(storage: Storage, gate: Gate) -> None:
    storage.create("a", b"1")
    gate.shut()
    for ask in (lambda: storage.read("a"), lambda: storage.create("b", b"2"), lambda: list(storage.entries(""))):
        with pytest.raises(StorageError) as told:
            ask()
        assert told.value.fault is StorageFault.AWAY
    gate.open()
    assert (storage.read("a") or (b"",))[0] == b"1"


def test_a_bucket_that_is_not_there_is_told_by_whatever_asks_first(object_home: str, node: Node) -> None:
    scheme = object_home.partition(":")[0]
    copy = Copy.of(node("a", f"{scheme}://no-such-place/home").root)
    assert copy is not None
    for ask in (lambda: copy.names(copy.root / "experiments"), lambda: require_conditional(copy)):
        with pytest.raises(SpecError, match=r"there is no (bucket|container) no-such-place; create it"):
            ask()


class Refusing(BaseHTTPRequestHandler):
    """Google, for somebody who may nothing."""

    def do_GET(self) -> None:
        content = json.dumps({"error": {"code": 403, "message": "x does not have storage.objects.get access"}}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = do_GET  # noqa: N815 - as the base class has them

    def log_message(self, *args: object) -> None:
        pass


def told_by(home: str, node: Node) -> str:
    copy = Copy.of(node("a", home).root)
    assert copy is not None
    with pytest.raises(GraftError) as found:
        require_conditional(copy)
    assert isinstance(found.value, ResourceError)
    return str(found.value)


def test_an_account_of_google_that_may_nothing_is_told(
    google: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Refusing) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        told = told_by(f"{google}/home", node)
    assert "refuses these credentials" in told
    assert "check GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth" in told


def test_no_credentials_of_google_are_told(google: str, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    assert "credentials were not found" in told_by(f"{google}/home", node)


def test_a_key_of_azure_that_is_refused_is_told(azure: str, node: Node, azure_server: AzureServer) -> None:
    azure_server.knows = False
    told = told_by(f"{azure}/home", node)
    assert "refuses these credentials" in told
    assert "check AZURE_STORAGE_ACCOUNT_KEY" in told


@pytest.mark.slow
def test_a_key_that_signs_wrongly_is_told(azurite: str, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"another").decode())
    assert "refuses these credentials" in told_by(f"{azurite}/home", node)


@pytest.mark.usefixtures("asked_again_at_once")
def test_no_credentials_of_azure_are_told(azure: str, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    assert "refuses these credentials" in told_by(f"{azure}/home", node)


def test_an_account_of_azure_that_nobody_names_is_told(azure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    with pytest.raises(SpecError, match=r"AZURE_STORAGE_ACCOUNT_NAME is not set; set it, or name the account, as in"):
        HomeAddress.of(f"{azure}/home").storage()


def test_an_account_in_the_address_needs_no_variable(azure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = os.environ["AZURE_STORAGE_ACCOUNT_NAME"]
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    storage = HomeAddress.of(f"{azure}@{account}.dfs.core.windows.net/home").storage()
    assert storage.read("a") is None
    storage.create("a", b"1")


@pytest.mark.parametrize("size", [0, 1, 9 << 20])
def test_files_of_any_size_go_there_and_back(
    storage: Storage, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (s3, azure):  # as if they were larger
        monkeypatch.setattr(module, "_IN_ONE_REQUEST", 1 << 20)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    tag = storage.upload("large", source, digest)
    entry = storage.download("large", target)
    assert entry is not None
    assert (entry.tag, entry.size, entry.digest) == (tag, size, digest)
    assert target.read_bytes() == source.read_bytes()
    assert (storage.read("large", size // 2) or (b"",))[0] == source.read_bytes()[size // 2 :]


def test_a_file_that_is_not_what_its_writer_has_sent_is_not_taken(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"damaged on the way")
    storage.upload("w", tmp_path / "source", hashlib.sha256(b"whole").hexdigest())
    with pytest.raises(StorageError, match="w did not arrive as it was sent"):
        storage.download("w", tmp_path / "target")


def test_marks_of_folders_and_strange_keys(storage: Storage) -> None:
    keys = ("j/", "j/a b", "j/é+%25&=?#", "j/sub/x", "j/~")
    for key in keys:
        storage.create(key, b"1")
    assert [one.key for one in storage.entries("j/")] == ["j/a b", "j/sub/x", "j/~", "j/é+%25&=?#"]
    assert list(storage.folders("j/")) == ["sub"]
    for key in keys:
        storage.delete(key)
    assert list(storage.entries("")) == []


def test_a_store_whose_clock_is_ahead_is_as_good(azure: str, azure_server: AzureServer, node: Node) -> None:
    azure_server.skew = 86400.0
    file = node("a", f"{azure}/home").root / "file"
    file.write_text("one")
    publish(file)
    there = bring(node("b", f"{azure}/home").root / "file")
    assert there.read_text() == "one"
    copy = Copy.of(there)
    assert copy is not None
    assert copy.known.is_alike(there)
    there.write_text("two")
    publish(there)
    azure_server.skew = -86400.0
    assert bring(node("a", f"{azure}/home").root / "file").read_text() == "two"


def test_homes_of_two_servers_have_two_copies(object_home: str, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    here = node("a", object_home).root
    monkeypatch.setenv(ENDPOINTS[object_home.partition(":")[0]], "http://127.0.0.1:9")
    assert node("a", object_home).root != here
