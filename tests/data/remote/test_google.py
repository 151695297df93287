"""Google Cloud Storage, from a server that answers as it does, as far as listing and reading need it."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.fixtures.stores import serving

from graft.core.errors import DataError
from graft.data.listing import list_samples
from graft.data.read import Unreadable, read_file
from graft.spec.modalities.image import ImageFolderData

BUCKET = "pictures"
FILES = {"set/cat/1.png": b"a cat", "set/dog/1 é.png": b"a dog", "set/readme.md": b"x"}
OBJECTS = f"/storage/v1/b/{BUCKET}/o"


class Google(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        name = unquote(parts.path).removeprefix("/download")
        if name == OBJECTS.removesuffix("/o"):
            self._json({"kind": "storage#bucket", "name": BUCKET, "id": BUCKET})
        elif name == OBJECTS:
            self._list(asked)
        elif name.startswith(f"{OBJECTS}/"):
            self._object(name.removeprefix(f"{OBJECTS}/"), asked.get("alt") == "media")
        elif name.startswith(f"/{BUCKET}/"):
            self._object(name.removeprefix(f"/{BUCKET}/"), True)
        else:
            self._json({"error": {"code": 404, "message": "The specified bucket does not exist."}}, 404)

    def _list(self, asked: dict[str, str]) -> None:
        prefix, found, folders = asked.get("prefix", ""), [], set()
        for key in sorted(FILES):
            inside = key.removeprefix(prefix)
            if key.startswith(prefix) and asked.get("delimiter") and "/" in inside:
                folders.add(f"{prefix}{inside.partition('/')[0]}/")
            elif key.startswith(prefix):
                found.append(_metadata(key))
        self._json({"kind": "storage#objects", "items": found, "prefixes": sorted(folders)})

    def _object(self, key: str, is_wanted: bool) -> None:
        if key not in FILES:
            self._json({"error": {"code": 404, "message": f"No such object: {BUCKET}/{key}"}}, 404)
        elif is_wanted:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self._send(FILES[key][start:], 206 if start else 200, "application/octet-stream")
        else:
            self._json(_metadata(key))

    def _json(self, value: object, code: int = 200) -> None:
        self._send(json.dumps(value).encode(), code, "application/json")

    def _send(self, content: bytes, code: int, kind: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


def _metadata(key: str) -> dict[str, str]:
    time = "2026-11-01T10:00:00.000Z"
    return {
        "kind": "storage#object", "name": key, "bucket": BUCKET, "size": str(len(FILES[key])), "generation": "1",
        "metageneration": "1", "updated": time, "timeCreated": time, "etag": "x",
    }  # fmt: skip


@pytest.fixture
def google(no_stores, monkeypatch) -> Iterator[str]:
    with serving(Google) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        yield url


def test_folders_are_listed_and_read(google):
    listing = list_samples(ImageFolderData(path=f"gs://{BUCKET}/set"))
    assert listing.ids == ("cat/1.png", "dog/1 é.png")
    assert [read_file(source) for source in listing.sources] == [b"a cat", b"a dog"]
    with pytest.raises(Unreadable, match="is not there any more"):
        read_file(f"gs://{BUCKET}/set/cat/2.png".encode())


def test_what_is_not_there_is_told(google):
    with pytest.raises(DataError, match=r"write data.path: 'gs://pictures/set'"):
        list_samples(ImageFolderData(path=f"gs://{BUCKET}"))
    with pytest.raises(DataError, match="there is nothing there"):
        list_samples(ImageFolderData(path=f"gs://{BUCKET}/other"))
    with pytest.raises(DataError, match="there is no bucket other"):
        list_samples(ImageFolderData(path="gs://other/set"))
