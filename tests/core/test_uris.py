"""Every name that a directory can have comes back from the URI as it went in."""

import sqlite3
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from graft.core.errors import ArtifactError, SpecError
from graft.core.uris import advice_for_missing, file_uri, inside, sqlite_path, sqlite_uri, user_path

AWKWARD = [
    "a%2Fb", "a%20b", "100%", "%", "a?b=c", "a#b", "a b", " a ", "o'neil", 'a"b', "a`b", "a;b", "a:b", "a&b=c", "a@b",
    "a+b", "a\\b", "a\nb", "[x]", "{x}", "~", "-x", "...", "$HOME", "*", "größe", "数据", "😀", "e\u0301", "\u202ex",
    "x" * 255,
]  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_sqlalchemy_opens_the_file_that_is_meant(name: str) -> None:
    path = Path("/srv", name, "mlflow.db")
    uri = sqlite_uri(path)
    assert make_url(uri).database == str(path)
    assert not make_url(uri).query
    assert sqlite_path(uri) == path


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_survives(name: str) -> None:
    path = Path("/srv", name)
    assert make_url(sqlite_uri(path)).database == str(path)
    assert sqlite_path(sqlite_uri(path)) == path
    assert urllib.request.url2pathname(urllib.parse.urlparse(file_uri(path)).path) == str(path)


@pytest.mark.parametrize("name", [name for name in AWKWARD if len(name) < 200])
def test_sqlite_opens_it_for_reading(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(sqlite_uri(path, read_only=True), uri=True)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////srv/x.db?timeout=3", Path("/srv/x.db")),
        ("sqlite+pysqlite:////srv/x.db", Path("/srv/x.db")),
        ("sqlite:////srv/my%20x.db", Path("/srv/my x.db")),
        ("sqlite:///x.db", Path("x.db")),
        ("sqlite://", Path()),
        ("sqlite:///:memory:", Path()),
        ("http://host", None),
        ("postgresql://host/sqlite", None),
    ],
)
def test_the_file_of_an_address(uri: str, path: Path | None) -> None:
    assert sqlite_path(uri) == path


def test_a_path_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    root = tmp_path / "root"
    assert inside(root, "a", "b") == root / "a" / "b"
    assert inside(root, "a/../b") == root / "a" / ".." / "b"
    (root / "link").symlink_to(tmp_path)
    for parts in (("..",), ("../root2",), ("/etc/passwd",), ("a", "..", "..", "x"), ("link", "x")):
        with pytest.raises(ArtifactError, match="leads out of"):
            inside(root, *parts)


def test_a_root_behind_a_link_is_a_root(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    assert inside(tmp_path / "home", "a") == tmp_path / "home" / "a"


def test_a_home_directory_that_nobody_has_is_told_unless_something_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/photos") == Path("/home/me/photos")
    with pytest.raises(SpecError, match=r"^~no-such-user/x begins with `~no-such-user`, whose home directory is not"):
        user_path("~no-such-user/x")
    Path("~no-such-user").mkdir()
    assert user_path("~no-such-user/x") == Path("~no-such-user/x")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("phots", "did you mean {here}/photos?"),
        ("Photos/cats", "did you mean {here}/photos?"),
        ("photos ", "did you mean {here}/photos?"),
        ("“photos”", "did you mean {here}/photos?"),
        ("cafe\u0301", "{here}/caf\u00e9 looks the same, but is written with other Unicode characters; rename it"),
        ("photos/summer/june", "check the path from {here}/photos on, which is there"),
        ("elsewhere", "check the path"),
        ("/photos/*.jpg", "patterns are not filled in there, so write the path in full"),
        ("$HOME/photos", "variables are not filled in there, so write the path in full"),
        ("${DATA}/photos", "variables are not filled in there, so write the path in full"),
    ],
)
def test_what_to_do_about_a_path_at_which_there_is_nothing(wanted: str, told: str, tmp_path: Path) -> None:
    for name in ("photos", "caf\u00e9"):
        (tmp_path / name).mkdir()
    assert advice_for_missing(tmp_path / wanted) == told.format(here=tmp_path)
