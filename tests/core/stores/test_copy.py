"""A node's copy of a home: two nodes that share nothing but the store."""

import os
import pickle
import threading
from pathlib import Path

import pytest
from tests.fixtures.homes import Node

from graft.core.errors import ResourceError, SpecError
from graft.core.storage import Home
from graft.core.stores import copy as copies
from graft.core.stores.address import HomeAddress
from graft.core.stores.copy import Copy, bring, bring_tree, drop, drop_tree, is_there, publish, publish_tree
from graft.core.stores.home_path import HomePath, located
from graft.core.stores.storage import StorageError, StorageFault


def test_a_file_goes_from_node_to_node(node: Node, store_home: str) -> None:
    file = node("a", store_home).root / "deep" / "file"
    file.parent.mkdir()
    file.write_text("one")
    publish(file)
    travelled = pickle.dumps(file)
    assert pickle.loads(travelled) == file
    node("b", store_home)
    there = pickle.loads(travelled)
    assert there != file
    assert not there.exists()
    assert is_there(there)
    assert bring(there).read_text() == "one"

    there.write_text("two, longer")
    publish(there)
    node("a", store_home)
    assert bring(file, is_final=True).read_text() == "one"
    assert bring(file).read_text() == "two, longer"
    drop(file)
    assert not is_there(file)


def test_what_was_derived_from_a_path_of_a_home_travels_too(node: Node, folder_home: str) -> None:
    root = node("a", folder_home).root
    derived = (root / "x" / "y.txt").with_name("z").parent / "q"
    text = located(str(derived))
    sent = pickle.dumps((derived, text))
    other = node("b", folder_home).root
    assert pickle.loads(sent) == (other / "x" / "q", other / "x" / "q")


def test_a_path_of_a_directory_stays_as_it_is(tmp_path: Path) -> None:
    assert type(located(str(tmp_path / "x"))) is type(tmp_path)
    assert not is_there(bring(tmp_path / "x"))
    assert bring_tree(tmp_path) == tmp_path
    publish(tmp_path / "x")
    publish_tree(tmp_path)
    assert pickle.loads(pickle.dumps(HomePath(tmp_path / "x"))) == tmp_path / "x"


def test_a_directory_is_there_when_its_manifest_is(
    node: Node, store_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = node("a", store_home).root / "cache" / "data"
    tree.mkdir(parents=True)
    for name in ("values", "manifest.json", "zz"):
        (tree / name).write_text(name)
    sent: list[str] = []
    upload = Copy.publish
    monkeypatch.setattr(Copy, "publish", lambda self, path, *more: (sent.append(path.name), upload(self, path, *more)))
    publish_tree(tree)
    assert sent[-1] == "manifest.json"
    there = node("b", store_home).root / "cache" / "data"
    assert sorted(path.name for path in bring_tree(there).iterdir()) == ["manifest.json", "values", "zz"]
    node("a", store_home)
    drop_tree(tree)
    node("c", store_home)
    assert not bring_tree(Path(str(there).replace("/b/", "/c/"))).exists()


def test_a_half_written_directory_is_none(node: Node, store_home: str) -> None:
    tree = node("a", store_home).root / "data"
    tree.mkdir()
    (tree / "values").write_text("v")
    publish(tree / "values")
    there = node("b", store_home).root / "data"
    assert not bring_tree(there).exists()


def test_what_is_alike_is_neither_sent_nor_fetched_again(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = node("a", folder_home).root / "file"
    file.write_text("one")
    publish(file)
    monkeypatch.setattr("graft.core.stores.folder.FolderStorage.upload", None)
    monkeypatch.setattr("graft.core.stores.folder.FolderStorage.download", None)
    publish(file)
    bring(file)
    bring(file, is_final=True)


def test_what_is_ahead_of_the_store_stays(node: Node, folder_home: str) -> None:
    file = node("a", folder_home).root / "file"
    file.write_text("one")
    publish(file)
    file.write_text("two, not sent")
    assert bring(file).read_text() == "two, not sent"
    other = bring(node("b", folder_home).root / "file")
    other.write_text("another's")
    publish(other)
    node("a", folder_home)
    assert bring(file).read_text() == "another's"


def test_processes_of_a_node_fetch_once(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = node("a", folder_home).root / "file"
    file.write_text("x" * 1000)
    publish(file)
    there, fetched = node("b", folder_home).root / "file", []
    download = Copy._download
    monkeypatch.setattr(Copy, "_download", lambda self, path: (fetched.append(path), download(self, path))[1])
    threads = [threading.Thread(target=bring, args=(there,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert there.read_text() == "x" * 1000


def test_a_store_that_does_not_keep_conditions_is_refused(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy.of(node("a", folder_home).root)
    assert copy is not None
    copies.require_conditional(copy)
    assert list(copy.storage.entries("")) == []
    monkeypatch.setattr("graft.core.stores.folder.FolderStorage.create", lambda self, key, content: "tag")
    with pytest.raises(ResourceError, match="does not keep conditional writes"):
        copies.require_conditional(copy)


def test_a_bucket_that_is_not_there_is_told(node: Node, s3) -> None:
    copy = Copy.of(node("a", "s3://no-such-bucket/home").root)
    assert copy is not None
    with pytest.raises(SpecError, match="there is no bucket no-such-bucket; create it"):
        copies.require_conditional(copy)


def test_wrong_credentials_are_told(node: Node, s3, knows_nobody) -> None:
    knows_nobody(True)
    copy = Copy.of(node("a", s3.at("home")).root)
    assert copy is not None
    with pytest.raises(ResourceError, match=r"refuses these credentials.*check AWS_ACCESS_KEY_ID"):
        copies.require_conditional(copy)


def test_no_credentials_are_told(node: Node, s3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    copy = Copy.of(node("a", s3.at("home")).root)
    assert copy is not None
    with pytest.raises(ResourceError, match=r"refuses these credentials .*Unable to locate credentials"):
        copies.require_conditional(copy)


def test_a_store_that_does_not_answer_is_told(node: Node, s3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    copy = Copy.of(node("a", s3.at("home")).root)
    assert copy is not None
    with pytest.raises(ResourceError, match=r"cannot be reached .*check the network and AWS_ENDPOINT_URL"):
        copy.asked(lambda storage: storage.entry("x"), patience=0.0)


def test_work_waits_for_a_store_that_comes_back(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = node("a", folder_home).root / "file"
    file.write_text("one")
    away = [3]
    upload = type(HomeAddress.of(folder_home).storage()).upload

    def failing(self, key, path, digest):
        if away[0]:
            away[0] -= 1
            raise StorageError(StorageFault.AWAY, "gone")
        return upload(self, key, path, digest)

    monkeypatch.setattr("graft.core.stores.folder.FolderStorage.upload", failing)
    monkeypatch.setattr("graft.core.stores.copy.time.sleep", lambda seconds: None)
    publish(file)
    assert is_there(node("b", folder_home).root / "file")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("gcs://bucket/x", "homes are kept in directories, in S3 .*; write gs://"),
        ("az://container/x", "; write abfs://"),
        ("gs://", "must be gs://BUCKET/PREFIX with the name of a bucket"),
        ("abfs://c@a/x", r"must be abfs://CONTAINER@ACCOUNT.dfs.* with the name of a container"),
        ("abfs://box:secret@acc.dfs.core.windows.net/x", "must be abfs://CONTAINER@"),
        ("nfs://host/x", "mount the share"),
        ("file:///x", "write the path alone"),
        ("s3a://bucket/x", "write s3://"),
        ("s3://", "must be s3://BUCKET/PREFIX"),
        ("s3://B/x", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/a/../b", "must have no"),
        ("s3://bucket/a\nb", "control characters"),
        ("folder://x", "an absolute path"),
        ("quux://x", "homes are kept in directories"),
    ],
)
def test_an_address_where_no_home_can_be_is_refused(given: str, told: str, node: Node) -> None:
    with pytest.raises(SpecError, match=told):
        node("a", given)


def test_a_path_that_was_an_address_is_refused(node: Node) -> None:
    with pytest.raises(SpecError, match="was an address"):
        node("a", str(Path("s3://bucket/x")))


def test_a_copy_that_cannot_be_made_is_told(node: Node, tmp_path: Path, folder_home: str) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ResourceError, match=r"this node's copy of folder:.* GRAFT_COPIES"):
        node("a", folder_home)


def test_copies_are_their_owners_only(node: Node, folder_home: str) -> None:
    assert os.stat(node("a", folder_home).root).st_mode & 0o077 == 0


def test_a_copy_that_is_named_by_its_path_is_its_home(node: Node, folder_home: str) -> None:
    home = node("a", folder_home)
    assert Home.find(str(home.root)) == home
    assert isinstance(Home.find(str(home.root)).experiments, HomePath)
