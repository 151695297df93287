"""The classes that a job may name, ours and those of other packages; the fault of a stranger is one line."""

import importlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from graft.core.errors import DataError, SpecError
from graft.spec import registry
from graft.spec.components.head import LinearHead
from graft.spec.components.penalty import L2, NoPenalty
from graft.spec.registry import GROUPS, OURS, build, call, implementation, members, union

FOREIGN = '''
from typing import ClassVar, Literal
from graft.core.errors import DataError
from graft.spec.components.penalty import PenaltySpec

class L0(PenaltySpec):
    """Counts weights."""
    kind: Literal["l0"] = "l0"
    built_by: ClassVar[str] = "stranger:counting"
    strength: float = 0.5

class Untyped(PenaltySpec):
    kind: str = "untyped"

class Nowhere(L0):
    kind: Literal["nowhere"] = "nowhere"
    built_by: ClassVar[str] = "no_such_module:X"

class Missing(L0):
    kind: Literal["missing"] = "missing"
    built_by: ClassVar[str] = "stranger:not_there"

class Short(L0):
    kind: Literal["short"] = "short"
    built_by: ClassVar[str] = "stranger:takes_nothing"

class Raising(L0):
    kind: Literal["raising"] = "raising"
    built_by: ClassVar[str] = "stranger:raises"

class Telling(L0):
    kind: Literal["telling"] = "telling"
    built_by: ClassVar[str] = "stranger:tells"

class NotAPenalty:
    kind = "other"

def counting(spec, parts):
    return ("counting", spec.strength, parts)

def takes_nothing():
    return None

def raises(spec, parts):
    raise ZeroDivisionError("by\\n  zero")

def tells(spec, parts):
    raise DataError("no weights to count")
'''

Install = Callable[..., Any]


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``stranger(l0="stranger:L0")``: the package `stranger` adds these penalties; the module itself is returned."""

    def install(group: str = "penalty", **points: str) -> Any:
        (tmp_path / "stranger.py").write_text(FOREIGN)
        (tmp_path / "broken_stranger.py").write_text("raise RuntimeError('no licence\\n found')\n")
        monkeypatch.syspath_prepend(tmp_path)
        found = EntryPoints([EntryPoint(name, value, f"graft.{group}") for name, value in points.items()])
        monkeypatch.setattr(registry, "entry_points", lambda: found)
        _forget()
        return importlib.import_module("stranger")

    yield install
    monkeypatch.undo()
    _forget()
    for name in ("stranger", "broken_stranger"):
        sys.modules.pop(name, None)


def _forget() -> None:
    registry.members.cache_clear()
    registry.plugins.cache_clear()


def told(action: Callable[[], Any]) -> str:
    """The one line that an action fails with."""
    with pytest.raises(SpecError) as caught:
        action()
    assert len(caught.value.problems) == 1
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize("group", GROUPS)
def test_the_kinds_of_a_group_are_in_the_order_of_the_list(group: str) -> None:
    found = members(group)
    assert [f"{spec.__module__}:{spec.__name__}" for spec in found.values()] == list(OURS[group])
    assert [spec.model_fields["kind"].default for spec in found.values()] == list(found)


NOTHING_TO_BUILD = {
    "auto", "none", "pretrained", "reinitialise", "mapped", "meta",  # what is read before anything is built
    "spread", "drawn", "at",  # places of blocks, which the spec itself counts
    "random", "closed_form",  # how a head that is built otherwise starts
}  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_every_member_has_an_implementation_that_can_be_imported(group: str) -> None:
    for kind, spec in members(group).items():
        if spec.built_by:
            assert callable(implementation(spec.model_construct(kind=kind))), kind
        else:
            assert kind in NOTHING_TO_BUILD


def test_a_union_takes_each_member_by_kind_or_by_a_bare_name() -> None:
    penalty: TypeAdapter[Any] = TypeAdapter(union("penalty"))
    assert penalty.validate_python("l2") == penalty.validate_python({"kind": "l2"}) == L2()
    assert penalty.validate_python({"kind": "l2", "strength": 0.5}) == L2(strength=0.5)
    with pytest.raises(ValidationError):
        penalty.validate_python("l3")


def test_a_union_of_one_is_a_union_all_the_same() -> None:
    exporter: TypeAdapter[Any] = TypeAdapter(union("exporter"))
    assert exporter.validate_python("bundle") == exporter.validate_python({"kind": "bundle"})
    with pytest.raises(ValidationError):
        exporter.validate_python("onnx")


def test_a_component_is_built_with_its_spec_first() -> None:
    head = build(LinearHead(dropout=0.5), 8, 3)
    assert [module.out_features for module in head.modules() if hasattr(module, "out_features")] == [3]


def test_an_implementation_can_be_called_without_its_spec(stranger: Install) -> None:
    spec = stranger(l0="stranger:L0").L0()
    assert call(spec, spec, "parts") == ("counting", 0.5, "parts")
    assert "does not take the 1 arguments" in told(lambda: call(spec, "parts"))


def test_a_fault_of_our_own_is_not_dressed_up() -> None:
    with pytest.raises(TypeError):
        build(NoPenalty(), 1, 2, 3, 4, 5)


def test_a_foreign_class_follows_ours(stranger: Install) -> None:
    module = stranger(l0="stranger:L0", l2="stranger:L0")
    assert list(members("penalty"))[-1] == "l0"
    assert members("penalty")["l0"] is module.L0
    assert members("penalty")["l2"] is L2, "a name of ours cannot be taken"
    assert "l0" not in members("head")


def test_a_foreign_class_can_be_built(stranger: Install) -> None:
    assert build(stranger(l0="stranger:L0").L0(strength=0.25), "parts") == ("counting", 0.25, "parts")


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (
            {"away": "no_such_module:X"},
            "penalty `away` of package no_such_module cannot be imported from "
            "no_such_module:X (ModuleNotFoundError: No module named 'no_such_module'); "
            "repair or uninstall it",
        ),
        (
            {"ill": "broken_stranger:X"},
            "penalty `ill` of package broken_stranger cannot be imported from broken_stranger:X (RuntimeError: no "
            "licence found); repair or uninstall it",
        ),
        (
            {"gone": "stranger:Gone"},
            "penalty `gone` of package stranger cannot be imported from stranger:Gone (AttributeError: module "
            "'stranger' has no attribute 'Gone'); repair or uninstall it",
        ),
        (
            {"other": "stranger:NotAPenalty"},
            "penalty `other` of package stranger is stranger:NotAPenalty, but must be a subclass of "
            'graft.spec.components.penalty.PenaltySpec with `kind: Literal["other"] = "other"`',
        ),
        (
            {"l00": "stranger:L0"},
            "penalty `l00` of package stranger is stranger:L0, but must be a subclass of "
            'graft.spec.components.penalty.PenaltySpec with `kind: Literal["l00"] = "l00"`',
        ),
        (
            {"untyped": "stranger:Untyped"},
            "penalty `untyped` of package stranger is stranger:Untyped, but must be a subclass of "
            'graft.spec.components.penalty.PenaltySpec with `kind: Literal["untyped"] = "untyped"`',
        ),
        (
            {"counting": "stranger:counting"},
            "penalty `counting` of package stranger is stranger:counting, but must be a subclass of "
            'graft.spec.components.penalty.PenaltySpec with `kind: Literal["counting"] = "counting"`',
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_no_spec_of_the_group_is_told_in_one_line(
    stranger: Install, point: dict[str, str], expected: str
) -> None:
    stranger(**point)
    assert told(lambda: members("penalty")) == expected


def test_a_spec_of_another_group_is_told_in_one_line(stranger: Install) -> None:
    stranger("head", l0="stranger:L0")
    assert "must be a subclass of graft.spec.components.head.HeadSpec" in told(lambda: members("head"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "Nowhere",
            "`nowhere` of package stranger cannot be imported from no_such_module:X (ModuleNotFoundError: "
            "No module named 'no_such_module'); tell its authors",
        ),
        (
            "Missing",
            "`missing` of package stranger cannot be imported from stranger:not_there (AttributeError: module "
            "'stranger' has no attribute 'not_there'); tell its authors",
        ),
        (
            "Short",
            "`short` of package stranger does not take the 2 arguments that it is given (TypeError: too many "
            "positional arguments); tell its authors",
        ),
        (
            "Raising",
            "`raising` of package stranger cannot be built (ZeroDivisionError: by zero); tell its authors",
        ),
    ],
)
def test_the_fault_of_a_foreign_implementation_is_one_line(stranger: Install, name: str, expected: str) -> None:
    spec = getattr(stranger(), name)()
    assert told(lambda: build(spec, "parts")) == expected


def test_an_error_that_a_foreign_implementation_means_for_the_user_reaches_him(stranger: Install) -> None:
    with pytest.raises(DataError, match=r"^no weights to count$"):
        build(stranger().Telling(), "parts")


def run_with_stranger(tmp_path: Path, program: str, *points: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, as a union is made once, when its module is imported; `stranger` is installed there."""
    (tmp_path / "stranger.py").write_text(FOREIGN)
    metadata = tmp_path / "graft_stranger-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: graft-stranger\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[graft.penalty]\n" + "\n".join(points) + "\n")
    before = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    return subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(program)], capture_output=True, text=True, check=False
    )


def test_a_foreign_class_is_in_job_schema_space_and_constructor(tmp_path: Path) -> None:
    program = """
        import json
        import jsonschema
        from graft.spec.load import parse_job
        from graft.spec.registry import build
        from graft.spec.schema import job_schema
        from graft.spec.space.space import StrategySpace
        from graft.spec.strategy import Strategy

        space = {"penalty": {"choice": ["none", {"kind": "l0", "strength": {"uniform": [0.1, 0.2]}}]}}
        raw = {"name": "x", "data": {"kind": "digits"}, "strategy": space}
        job = parse_job(raw)
        valid = jsonschema.Draft202012Validator(job_schema())
        chosen = job.strategy.build(lambda key, found: found.options[1] if key == "penalty" else 0.15)
        print(json.dumps({
            "read_again": parse_job(job.model_dump(mode="json")) == job,
            "schema": [valid.is_valid(raw), valid.is_valid(raw | {"strategy": {"penalty": "l0"}})],
            "bad": valid.is_valid(raw | {"strategy": {"penalty": {"kind": "l0", "size": 3}}}),
            "values": job.strategy.values("penalty"),
            "strategy": chosen.model_dump(mode="json")["penalty"],
            "coordinates": job.strategy.coordinates(chosen),
            "label": chosen.label(),
            "stored": Strategy.read_stored(chosen.model_dump(mode="json")) == chosen,
            "built": build(chosen.penalty, "parts"),
        }))
    """
    done = run_with_stranger(tmp_path, program, "l0 = stranger:L0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "read_again": True,
        "schema": [True, True],
        "bad": False,
        "values": ["none", "l0"],
        "strategy": {"kind": "l0", "strength": 0.15},
        "coordinates": {"penalty": 1, "penalty.l0.strength": 0.15},
        "label": "efficientnet_lite0 l0",
        "stored": True,
        "built": ["counting", 0.15, "parts"],
    }


def test_what_is_wrong_with_a_foreign_component_is_told_as_with_ours(tmp_path: Path) -> None:
    program = """
        from graft.core.errors import SpecError
        from graft.spec.load import parse_job
        for penalty in ("l9", {"kind": "l0", "strength": "0.1"}, {"kind": "l0", "size": 3}):
            try:
                parse_job({"name": "x", "data": "digits", "strategy": {"penalty": penalty}})
            except SpecError as error:
                print(error)
    """
    done = run_with_stranger(tmp_path, program, "l0 = stranger:L0")
    assert done.stdout.splitlines() == [
        "strategy.penalty: is `l9`, but must be one of none, l1, l2, l2_sp, l1_sp, delta, bss, contrast, co_tuning, l0",
        "strategy.penalty.strength: is the text '0.1', but must be a number; remove the quotes",
        "strategy.penalty.size: is not a key of strategy.penalty of kind l0; its keys are strength",
    ], done.stderr


@pytest.mark.parametrize("command", [["validate", "jobs/digits.yaml"], ["schema"]])
def test_a_package_that_is_broken_is_one_line_of_the_command(
    tmp_path: Path, repository: Path, command: list[str]
) -> None:
    program = f"""
        import os
        from graft.cli.main import main
        os.chdir({str(repository)!r})
        sys.argv = ["graft", *{command!r}]
        main()
    """
    done = run_with_stranger(tmp_path, program, "gone = stranger:Gone")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "graft: penalty `gone` of package stranger cannot be imported from stranger:Gone (AttributeError: module "
        "'stranger' has no attribute 'Gone'); repair or uninstall it"
    ]
