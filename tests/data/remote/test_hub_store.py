"""Repositories of the hub, from a server that answers as the hub does, as far as listing and reading need it."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote

import pytest
from tests.fixtures.stores import serving

from graft.core.errors import DataError
from graft.data.listing import list_samples
from graft.data.read import read_file
from graft.spec.modalities.image import ImageFolderData
from graft.spec.modalities.table import TableData

SHA = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "data/cat/1.png": b"a cat",
    "data/cat/2.png": b"another cat",
    "data/dog/1.png": b"a dog",
    "reviews.csv": b"text,kind\n" + b"".join(b"number %d,%s\n" % (row, b"ab"[row % 2 :][:1]) for row in range(10)),
}


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if path == "/api/datasets/user/pictures/revision/main" or path == "/api/datasets/user/pictures":
            self._json(
                {"id": "user/pictures", "sha": SHA, "siblings": [], "private": False, "tags": [], "downloads": 0}
            )
        elif path.startswith("/api/datasets/user/pictures/tree/main"):
            top = path.removeprefix("/api/datasets/user/pictures/tree/main").strip("/")
            self._json(list(self._tree(top, "recursive=True" in self.path or "recursive=true" in self.path)))
        elif path.startswith("/datasets/user/pictures/resolve/main/"):
            self._file(FILES.get(path.removeprefix("/datasets/user/pictures/resolve/main/")))
        else:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        found = [entry for path in parse_qs(body)["paths"] for entry in self._tree("", True) if entry["path"] == path]
        self._json(found)

    def _tree(self, top: str, is_deep: bool) -> Iterator[dict[str, object]]:
        below = {path: content for path, content in FILES.items() if not top or path.startswith(f"{top}/")}
        folders = {"/".join(path.split("/")[:end]) for path in below for end in range(1, path.count("/") + 1)}
        for path in sorted(folders):
            inside = path.removeprefix(top).strip("/")
            if inside and len(path) > len(top) and (is_deep or "/" not in inside):
                yield {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}
        for path, content in below.items():
            if is_deep or "/" not in path.removeprefix(top).strip("/"):
                oid = hashlib.sha1(content).hexdigest()
                yield {"type": "file", "oid": oid, "size": len(content), "path": path}

    def _json(self, value: object, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), code, {"Content-Type": "application/json", **(headers or {})})

    def _file(self, content: bytes | None) -> None:
        if content is None:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if not wanted:
            self._send(content, 200, {"ETag": '"x"', "Accept-Ranges": "bytes"})
            return
        start, _, end = wanted.partition("-")
        part = content[int(start) : int(end) + 1 if end else None]
        stop = int(start) + len(part) - 1
        self._send(part, 206, {"Content-Range": f"bytes {start}-{stop}/{len(content)}"})

    def _send(self, content: bytes, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content)), "X-Repo-Commit": SHA}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(no_stores, monkeypatch) -> Iterator[str]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serving(Hub) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield url


def test_folders_of_the_hub_are_read(hub):
    listing = list_samples(ImageFolderData(path="hf://datasets/user/pictures/data"))
    assert listing.ids == ("cat/1.png", "cat/2.png", "dog/1.png")
    assert listing.source == "images in hf://datasets/user/pictures/data"
    assert [read_file(source) for source in listing.sources] == [b"a cat", b"another cat", b"a dog"]


def test_a_table_of_the_hub_is_copied(hub):
    found = list_samples(TableData(path="hf://datasets/user/pictures/reviews.csv", text="text", label="kind"))
    assert len(found) == 10
    assert found.ids[0] == "reviews.csv:1"


def test_what_the_hub_does_not_have_is_told(hub):
    with pytest.raises(DataError, match="there is nothing there"):
        list_samples(ImageFolderData(path="hf://datasets/user/pictures/none"))
    with pytest.raises(DataError, match="nothing there; check the path, and HF_TOKEN if it is not public"):
        list_samples(ImageFolderData(path="hf://datasets/user/other"))
