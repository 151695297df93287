from pathlib import Path

import pytest

from graft.core.errors import TrackingError
from graft.tracking.target import Target, run_key


@pytest.mark.parametrize("uri", ["sqlite:////srv/x.db", "http://127.0.0.1:5000", "postgresql+psycopg2://host/db"])
def test_usable_uris(uri: str) -> None:
    Target(uri, "digits").check()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///mlflow.db", "must be absolute; write sqlite:////"),
        ("./mlruns", "must be a URI"),
        ("", "must be a URI"),
        ("file:///srv/mlruns", "no file store"),
    ],
)
def test_uris_that_would_scatter_runs_are_refused(uri: str, message: str) -> None:
    with pytest.raises(TrackingError, match=message):
        Target(uri, "digits").check()


def test_the_database_of_a_sqlite_store() -> None:
    assert Target("sqlite:////srv/x.db?timeout=3", "digits").database() == Path("/srv/x.db")
    assert Target("http://host", "digits").database() is None


def test_keys_are_stable_and_distinct() -> None:
    keys = [run_key("a"), run_key("a", "t00"), run_key("a", "t01"), run_key("b", "t00")]
    assert len(set(keys)) == 4
    assert run_key("a", "t00") == "9cea578f-46f5-5809-961f-25e2f687450c"


def test_the_digest_tells_targets_apart_and_hides_the_password() -> None:
    digest = Target("http://me:canary@host", "digits").digest()
    assert "canary" not in digest
    assert digest != Target("http://me:canary@host", "other").digest()
