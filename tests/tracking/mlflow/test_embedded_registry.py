"""The database that MLflow itself writes is read without it."""

import sqlite3
from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.tracking.mlflow.embedded_registry import version_in
from graft.tracking.mlflow.store import open_store
from graft.tracking.model_uri import ModelUri
from graft.tracking.target import Target


@pytest.fixture(scope="module")
def database(store_root: Path) -> Path:
    """With a model of three versions, the last of which is gone; one without any; and one with a champion."""
    path = store_root / "mlflow.db"
    client = open_store(Target(f"sqlite:///{path}", "versions", store_root / "artifacts")).client
    for name, count in (("three", 3), ("none", 0), ("won", 2)):
        client.create_registered_model(name)
        for _ in range(count):
            client.create_model_version(name, "file:///nowhere")
    client.delete_model_version("three", "3")
    client.set_registered_model_alias("three", "best-yet", "1")
    client.set_registered_model_alias("won", "champion", "1")
    return path


@pytest.mark.parametrize(
    ("address", "version"),
    [
        ("models:/three", "2"),
        ("models:/three/1", "1"),
        ("models:/three@best-yet", "1"),
        ("models:/won", "1"),
        ("models:/won@champion", "1"),
    ],
)
def test_versions(database: Path, address: str, version: str) -> None:
    assert version_in(database, ModelUri.parse(address)) == version


@pytest.mark.parametrize(
    ("address", "lacks"),
    [
        ("models:/three/3", "no version 3 of `three`; the newest is models:/three/2"),
        ("models:/three/4", "no version 4 of `three`; the newest is models:/three/2"),
        ("models:/three@champion", "no alias `champion` of `three`; its aliases are @best-yet (version 1)"),
        ("models:/none", "no version of `none` any more"),
        ("models:/thee", "no model `thee`; did you mean `three`?"),
    ],
)
def test_what_the_database_lacks(database: Path, address: str, lacks: str) -> None:
    with pytest.raises(SpecError) as caught:
        version_in(database, ModelUri.parse(address))
    assert str(caught.value).startswith(f"model is `{address}`, but tracking store sqlite:///{database} has {lacks}")


@pytest.mark.parametrize("content", [None, b"", b"no database", "other tables"])
def test_other_databases_say_nothing(content: bytes | str | None, tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE model_versions (name TEXT, number INTEGER)")
    assert version_in(path, ModelUri("three")) is None
