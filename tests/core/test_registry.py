import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from graft.core import registry as module
from graft.core.errors import SpecError
from graft.core.registry import Registry, unknown


@pytest.fixture
def penalties() -> Registry:
    return Registry("penalty", {"ours": "json:dumps", "nothere": "no_such_module_of_graft:X"})


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entry points of a third party, one of which takes a name of ours."""
    installed = EntryPoints(
        [EntryPoint("theirs", "json:loads", "graft.penalty"), EntryPoint("ours", "json:load", "graft.penalty")]
    )
    monkeypatch.setattr(module, "entry_points", lambda group: installed.select(group=group))


def test_get_gives_the_object_itself(penalties):
    import json

    assert penalties.get("ours") is json.dumps


def test_nothing_is_imported_before_it_is_asked_for(tmp_path: Path, monkeypatch):
    (tmp_path / "lazy_module_of_a_test.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("penalty", {"lazy": "lazy_module_of_a_test:ANSWER"})
    assert registry.names() == ("lazy",)
    assert "lazy_module_of_a_test" not in sys.modules
    assert registry.get("lazy") == 42
    del sys.modules["lazy_module_of_a_test"]


def test_an_unknown_name_is_an_error_that_names_the_nearest(penalties):
    with pytest.raises(SpecError) as caught:
        penalties.get("our")
    assert str(caught.value) == "penalty is `our`, but must be one of nothere, ours; did you mean `ours`?"


def test_a_missing_module_is_not_called_an_unknown_name(penalties):
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_graft"):
        penalties.get("nothere")


@pytest.mark.usefixtures("plugins")
def test_plugins_follow_ours(penalties):
    assert penalties.names() == ("nothere", "ours", "theirs")


@pytest.mark.usefixtures("plugins")
def test_a_plugin_is_found_but_never_replaces_ours(penalties):
    import json

    assert penalties.get("theirs") is json.loads
    assert penalties.get("ours") is json.dumps


@pytest.mark.usefixtures("plugins")
def test_plugins_of_another_kind_are_not_ours():
    assert Registry("backbone", {}).names() == ()


def test_an_installed_distribution_adds_an_entry(tmp_path: Path, monkeypatch, penalties):
    metadata = tmp_path / "graft_extra-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: graft-extra\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[graft.penalty]\nextra = json:JSONDecoder.decode\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "extra" in penalties.names()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("acuracy", "; did you mean `accuracy`?"), ("zzz", ""), ("", ""), ("accuracy!", "; did you mean `accuracy`?")],
)
def test_unknown_says_value_rule_hint(name, hint):
    assert unknown("metric", name, ["loss", "accuracy"]) == (
        f"metric is `{name}`, but must be one of accuracy, loss{hint}"
    )
