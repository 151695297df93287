"""Where a user's data are: a path of this machine, or the address of something in a store."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from graft.core.uris import REMOTE_SCHEMES, scheme_of
from graft.spec.messages.rules import broken

BASE = "base"
"""Key of pydantic's validation context: the directory that relative paths start from."""

_MEANT = {
    "s3a": "s3", "s3n": "s3", "gcs": "gs", "az": "abfs", "adl": "abfs", "abfss": "abfs", "wasb": "abfs",
    "wasbs": "abfs", "huggingface": "hf",
}  # fmt: skip
_HUB = re.compile(r"https?://(?:www\.)?huggingface\.co/datasets/([^/]+/[^/]+)(?:/(?:tree|blob|resolve)/.*)?")
# How an address looks, and the parts that it has at the least.
_NEEDED = {
    "s3": ("s3://BUCKET/PATH", 1),
    "gs": ("gs://BUCKET/PATH", 1),
    "abfs": ("abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH", 1),
    "hf": ("hf://datasets/USER/NAME/PATH", 2),
}
_KNOWN = ", ".join(f"{scheme}://" for scheme in REMOTE_SCHEMES)


def _local(value: Any, info: ValidationInfo) -> Path:
    text = _text(value)
    if scheme_of(text):
        raise broken("must be a path of this machine, because this kind of data is read nowhere else; copy it")
    return _absolute(text, info)


def _anywhere(value: Any, info: ValidationInfo) -> Path | str:
    text = _text(value)
    scheme = scheme_of(text)
    if not scheme:
        return _absolute(text, info)
    if scheme not in REMOTE_SCHEMES:
        raise broken(_instead(scheme, text))
    if any(ord(letter) < 32 for letter in text):
        raise broken("must be an address without control characters")
    return _address(scheme, text)


LocalPath = Annotated[Path, PlainValidator(_local), WithJsonSchema({"type": "string", "format": "path"})]
DataPath = Annotated[
    Path | str, PlainValidator(_anywhere), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]
"""A `Path` of this machine, or the address of something in a store as text (`graft.data.remote` reads it)."""


def _text(value: Any) -> str:
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        raise broken("must be a path, as text")
    if not value.strip() or "\0" in value:
        raise broken("must be a path")
    return value


def _absolute(text: str, info: ValidationInfo) -> Path:
    base = (info.context or {}).get(BASE) or os.getcwd()
    return Path(os.path.abspath(os.path.join(base, os.path.expanduser(text))))


def _instead(scheme: str, text: str) -> str:
    """The rule for a scheme that is not read, with what to write."""
    if scheme in _MEANT:
        rest = text.partition("://")[2]
        return f"must begin with {_MEANT[scheme]}://; write {_MEANT[scheme]}://{rest}"
    if scheme == "file":
        return "must be a path without file://; write the path alone"
    return f"must be a path, or begin with one of {_KNOWN}; copy the data to one of them"


def _address(scheme: str, text: str) -> str:
    """The address without a slash at its end."""
    rest = text.partition("://")[2].rstrip("/")
    if scheme in ("http", "https"):
        return _web_address(text, rest)
    if "?" in rest:
        raise broken("must be without `?`: options are taken from the environment, such as AWS_ENDPOINT_URL")
    parts = rest.split("/")
    if any(part in ("", ".", "..") for part in parts[1:]):
        raise broken("must have no empty part, `.` or `..` in its path")
    needed = 3 if parts[0] == "datasets" and scheme == "hf" else _NEEDED[scheme][1]
    if len(parts) < needed or not parts[0].partition("@")[0]:
        raise broken(f"must have the form {_NEEDED[scheme][0]}")
    return f"{scheme}://{rest}"


def _web_address(text: str, rest: str) -> str:
    found = _HUB.fullmatch(text.rstrip("/"))
    if found is not None:
        raise broken(f"must be a file, and not a page of the hub; write hf://datasets/{found[1]}")
    if not rest.partition("/")[0]:
        raise broken("must have the form https://HOST/FILE")
    return text
