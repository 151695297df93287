"""Names that can never work are refused with the job file; what is accepted, MLflow accepts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import _parse_model_uri
from mlflow.utils.validation import _validate_experiment_name, _validate_model_name

from graft.core.errors import SpecError
from graft.spec.load import parse_job
from graft.spec.tracking.names import experiment_name_problem, is_database, model_name_problem, store_address_problem

REFUSED_BY_BOTH = [
    "",
    " ",
    "a ",
    " a",
    "\ta",
    "a\n",
    "a\nb",
    "a\x00b",
    "a\x1bb",
    "\x7f",
    "a\u202eb",
    "\ufeffa",
    "a\u200bb",
    ".",
    "..",
]
FINE = [
        "o'neil", 'say "x"', "a@b", "a@", "a b", "größe", "数据", "👩‍🔬",
        "می‌خواهم", "CON", "nul.txt", "-x", "--uri", "a%2Fb", "a#b", "a.b", "a`b", "a\\b",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_names_that_nothing_can_have(name: str) -> None:
    assert experiment_name_problem(name)
    assert model_name_problem(name)


@pytest.mark.parametrize("name", FINE)
def test_awkward_names_that_work(name: str) -> None:
    assert experiment_name_problem(name) is None
    assert model_name_problem(name) is None


@pytest.mark.parametrize("name", ["a/b", "a:b", "a?b", "..a", "...", "models:/a"])
def test_names_that_no_model_can_have(name: str) -> None:
    assert model_name_problem(name)


@pytest.mark.parametrize("name", ["/Users/me/x", "a/b", "a:b", "a?b", "..a", "a..b"])
def test_experiments_may_have_them(name: str) -> None:
    assert experiment_name_problem(name) is None


@pytest.mark.parametrize("name", ["...", "../x", "a/../b", "a/.", "./a", "....."])
def test_experiments_may_not_be_called_like_a_way_out(name: str) -> None:
    assert experiment_name_problem(name) == "must be a name without `.` or `..` as a part"


@given(st.text(max_size=30) | st.text("./:@?%'\" a\u00e9", max_size=6))
def test_what_is_accepted_mlflow_accepts_and_finds_again(name: str) -> None:
    if model_name_problem(name) is None:
        _validate_model_name(name)
        assert _parse_model_uri(f"models:/{name}@champion")[:4] == (None, name, None, None)
        assert _parse_model_uri(f"models:/{name}/3")[:3] == (None, name, "3")
    if experiment_name_problem(name) is None:
        _validate_experiment_name(name)


def test_mlflow_still_refuses_what_we_do() -> None:
    for name in ("a/b", "a:b", ".", "..a", " "):
        with pytest.raises(MlflowException):
            _validate_model_name(name)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"tracking": {"experiment": "Default"}}, "tracking.experiment: is `Default`, which MLflow itself makes"),
        ({"tracking": {"experiment": "Default", "uri": "sqlite:////x.db"}}, "tracking.experiment: is `Default`"),
        ({"tracking": {"experiment": "../x"}}, "tracking.experiment: is `../x`, but must be a name without"),
        ({"tracking": {"experiment": "a "}}, "tracking.experiment: is `a `, but must be a name without spaces around"),
        ({"tracking": {"experiment": "x" * 300}}, "tracking.experiment: has 300 characters, but must have at most 250"),
        ({"tracking": {"experiment": "a\nb"}}, r"tracking.experiment: is `a\nb`, but must be a name without control"),
        ({"export": {"model_name": "a?b"}}, "export.model_name: is `a?b`, but must be a name without `/`, `:` and `?`"),
        ({"export": {"model_name": "..a"}}, "export.model_name: is `..a`, but must be a name that is no `.`"),
        ({"export": {"model_name": "x" * 251}}, "export.model_name: has 251 characters"),
        ({"tracking": {"uri": "sqlite:///x.db"}}, "tracking.uri: is `sqlite:///x.db`, but must be absolute; write"),
        ({"tracking": {"uri": "./mlruns"}}, "tracking.uri: is `./mlruns`, but must be a URI such as"),
        ({"tracking": {"uri": "htp://host"}}, "tracking.uri: is `htp://host`, but must begin with http, https or"),
    ],
)
def test_the_job_file_tells(section: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_job({"name": "x", "data": "digits", **section})
    assert told in str(caught.value)


def test_a_server_may_have_its_default_experiment() -> None:
    raw = {"name": "x", "data": "digits", "tracking": {"experiment": "Default", "uri": "http://host:5000"}}
    assert parse_job(raw).experiment_name == "Default"


@pytest.mark.parametrize(
    "uri",
    ["http://h", "https://h:5000/x", "http://[::1]:5000", "databricks", "databricks://profile", "postgresql+psycopg2://h/d",
     "mysql+pymysql://h/d", "sqlite:////a/b%20c.db", "sqlite+pysqlite:////x.db?timeout=9"],
)  # fmt: skip
def test_addresses_that_can_work(uri: str) -> None:
    assert store_address_problem(uri) is None


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("", "must be a URI"),
        ("sqlite:////a b.db", "a space in a path is %20"),
        ("mlruns", "must be a URI"),
        ("/srv/mlruns", "must be a URI"),
        ("file:///srv/mlruns", "no file store any more"),
        ("FILE:/srv", "no file store any more"),
        ("sqlite:///mlflow.db", "must be absolute; write sqlite:////"),
        ("sqlite:///a%20b.db", "a%20b.db"),
        ("sqlite://srv/mlflow.db", "must be absolute; write sqlite:////"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:////x?uri=true", "must not have the option `uri`"),
        ("http://", "must name a host"),
        ("http://host:x", "must name a host"),
        ("http://host:99999", "must name a host"),
        ("http://[::1", "must name a host"),
        ("ray://host:1", "must begin with http"),
    ],
)
def test_addresses_that_cannot(uri: str, told: str) -> None:
    assert told in (store_address_problem(uri) or "")


def test_databases_have_no_server() -> None:
    assert is_database("sqlite:////x.db")
    assert is_database("postgresql+psycopg2://h/d")
    assert not is_database("http://h")
    assert not is_database("databricks")
