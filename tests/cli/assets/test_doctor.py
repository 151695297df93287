"""`graft doctor --install`: a line a check, and an exit code that a script can use."""

from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.dirty import dirty_folder

from graft.pipeline.installation import all_checks as module
from graft.pipeline.installation.check import Answer, Check
from graft.spec.checks.clean import finding_kinds


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """What the checks find, by name."""
    found: dict[str, Answer] = {"python": Answer("ok", "3.11"), "shm": Answer("note", "64 MB", "raise it")}
    monkeypatch.setattr(
        module,
        "all_checks",
        lambda home, starts_ray: [Check(name, lambda one=one: one) for name, one in found.items()],  # type: ignore[misc]
    )
    return found


def test_a_sound_installation(graft: Any, answers: dict[str, Answer]) -> None:
    done = graft("doctor", "--install")
    assert (done.exit_code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "ok      python     3.11",
        "note    shm        64 MB; raise it",
        "everything is here that a job needs",
    ]
    assert graft("doctor", "--install", "--json").json == {
        "status": "ok",
        "checks": [
            {"name": "python", "state": "ok", "found": "3.11", "advice": ""},
            {"name": "shm", "state": "note", "found": "64 MB", "advice": "raise it"},
        ],
    }


def test_a_broken_one_ends_with_3(graft: Any, answers: dict[str, Answer]) -> None:
    answers["torch"] = Answer("broken", "cannot be imported", "install it")
    done = graft("doctor", "--install")
    assert (done.exit_code, done.err) == (3, "graft: torch is broken; see above what to do\n")
    assert done.out.splitlines()[-1] == "broken  torch      cannot be imported; install it"
    done = graft("doctor", "--install", "--json")
    assert (done.exit_code, done.json["status"], done.err) == (3, "broken", "")
    assert done.json["checks"][-1]["advice"] == "install it"


def test_it_must_be_told_what_to_check(graft: Any) -> None:
    done = graft("doctor")
    assert (done.exit_code, done.out) == (2, "")
    assert "or try --install" in done.err


def test_data_are_examined(graft: Any, tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "photos", 12)
    done = graft("doctor", str(folder), "--html", str(tmp_path / "out" / "page.html"))
    assert done.exit_code == 0
    assert "error   bomb" in done.out
    assert "<script>" in done.out
    assert (tmp_path / "out" / "page.html").read_text().startswith("<!doctype html>")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".html", ".json", ".csv"}


def test_the_contract_of_json(graft: Any, tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "photos", 12)
    done = graft("doctor", str(folder), "--json")
    assert (done.exit_code, sorted(done.json)) == (0, ["findings", "records", "seconds"])
    for one in done.json["findings"]:
        assert list(one) == ["kind", "severity", "count", "examples", "action"]
        assert one["kind"] in finding_kinds()
    failed = graft("doctor", str(folder), "--json", "--set", "data.clean.duplicate=fail")
    assert failed.exit_code == 4
    assert {one["kind"] for one in failed.json["findings"] if one["action"] == "fail"} == {"duplicate"}


def test_a_job_is_examined(graft: Any, tmp_path: Path) -> None:
    dirty_folder(tmp_path / "photos", 12)
    job = tmp_path / "job.yaml"
    job.write_text("name: photos\ndata: {kind: image_folder, path: photos, clean: {duplicate: fail}}\n")
    by_job, by_path = graft("doctor", str(job), "--json"), graft("doctor", str(tmp_path / "photos"), "--json")
    assert (by_job.exit_code, by_path.exit_code) == (4, 0)
    assert by_job.json["records"] == by_path.json["records"] > 0
    kinds = [[one["kind"] for one in done.json["findings"]] for done in (by_job, by_path)]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "nowhere does not exist"),
        (("nowhere.yaml",), "nowhere.yaml"),
        ((".", "--install"), "takes no data"),
        ((".", "--set", "data.clean.bom=drop"), "did you mean `bomb`"),
    ],
)
def test_a_wrong_call(graft: Any, arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "photos", 12)
    done = graft("doctor", *(str(folder) if one == "." else one for one in arguments))
    assert done.exit_code == 2
    assert told in done.err
