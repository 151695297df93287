import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.core.errors import SpecError
from graft.spec.components.penalty import L2
from graft.spec.job import Job
from graft.spec.load import MAX_BYTES, is_meta_job, load_job, parse_job
from graft.spec.strategy import Strategy

DIGITS = """\
# digits
version: 1
name: digits
data: {kind: digits}
strategy:
  lr: {loguniform: [1e-4, 1E-1]}
  penalty: l2
training:
  epochs: 3
"""


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "jobs" / "x.yaml"
    path.parent.mkdir()
    path.write_text(DIGITS, encoding="utf-8")
    return path


def rewritten(path: Path, old: str, new: str) -> Path:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return path


def told(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_job(path, overrides)
    return [str(problem).replace(str(path), "x.yaml") for problem in caught.value.problems]


def test_a_job_file_is_read(job_file: Path) -> None:
    job = load_job(job_file)

    assert job.training.epochs == 3
    assert job.strategy.values("lr") == (1e-4, 1e-1)


def test_every_problem_has_file_line_and_key(job_file: Path) -> None:
    rewritten(job_file, "name: digits", "name: Digits")
    rewritten(job_file, "epochs: 3", "epochs: 0\n  epoch: 3")
    rewritten(job_file, "penalty: l2", "penalty: l2\n  freeze:\n    choice:\n      - 0.5\n      - 1.4")

    assert told(job_file) == [
        "x.yaml:3 name: is `Digits`, but must be 1 to 64 of a-z, 0-9, `_` and `-`, and start with a letter or digit",
        "x.yaml:11 strategy.freeze.choice[1]: is 1.4, but must be between 0 and 1",
        "x.yaml:13 training.epochs: is 0, but must be between 1 and 1000",
        "x.yaml:14 training.epoch: is not a key of training; did you mean `epochs`?",
    ]


def test_a_missing_key_has_the_line_of_its_section(job_file: Path) -> None:
    rewritten(job_file, "data: {kind: digits}", "data: {kind: image_folder}")
    assert told(job_file)[0].startswith("x.yaml:4 data.path: is missing")


def test_a_key_given_twice_is_told_with_the_other_problems(job_file: Path) -> None:
    rewritten(job_file, "epochs: 3", "epochs: 3\n  epochs: 4\n  patience: 0")

    assert told(job_file) == [
        "x.yaml:9 training.epochs: is given on line 9 and again on line 10, but must be given once; remove one of the "
        "two",
        "x.yaml:11 training.patience: is 0, but must be >= 1",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "x.yaml is empty, but must hold keys and values, such as `name: digits`"),
        (b"# nothing\n", "x.yaml is empty, but must hold keys and values, such as `name: digits`"),
        (b"- a\n", "x.yaml holds a list, but must hold keys and values, such as `name: digits`"),
        (b"just text", "x.yaml holds `just text`, but must hold keys and values, such as `name: digits`"),
        (b"\x7fELF\0\0\0" + bytes(40), "x.yaml:1:1 holds the character U+007F, which no text has; remove it"),
        (b"Kind: meta\nkind: Meta\n", "x.yaml kind: is `Meta`, but must be `meta`, or left out"),
        ("a: 1\n".encode("utf-16-le"), "x.yaml is UTF-16 text, but must be UTF-8; save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), "x.yaml is UTF-16 text, but must be UTF-8; save it as UTF-8"),
        (b"a: 1\nb: \xff\xfe\n", "x.yaml:2:4 is not UTF-8 text, but must be; save it as UTF-8"),
        (b"a: [1\n", "x.yaml:1:4 opens a list with `[` that is not closed"),
        (
            b"#" * (MAX_BYTES + 1),
            "x.yaml is larger than 1,000,000 bytes, but a job file must be smaller; is it the right",
        ),
    ],
)
def test_a_file_that_is_no_job(job_file: Path, content: bytes, expected: str) -> None:
    job_file.write_bytes(content)
    assert told(job_file)[0].startswith(expected)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert told(tmp_path / "no.yaml") == ["x.yaml does not exist, but must be a job file; check the path"]
    assert told(tmp_path) == [
        "x.yaml is a directory, but must be a job file; `graft init` writes one for the data in a directory"
    ]
    with pytest.raises(SpecError, match="cannot be read"):
        load_job("a\0b")


def test_a_byte_order_mark_and_windows_lines_are_read(job_file: Path) -> None:
    job_file.write_bytes(b"\xef\xbb\xbf" + DIGITS.replace("\n", "\r\n").encode())
    assert load_job(job_file).name == "digits"


def test_overrides_go_through_the_same_validation(job_file: Path) -> None:
    overrides = [
        "training.epochs=5",
        "strategy.lr=1e-3",
        "strategy.penalty.strength=0.5",
        "strategy.resolution={choice: [32, 48]}",
        "strategy.resolution.randint=[32, 64]",
        "strategy.freeze={choice: [0.5, 1.0]}",
        "search.budget.trials=2",
        "search.budget.trials=3",
        "tracking.uri=http://host:5000/?a=b",
    ]
    job = load_job(job_file, overrides)

    assert job.training.epochs == 5
    assert job.strategy.values("lr") == (1e-3,)
    assert job.strategy.values("freeze") == (0.5, 1.0)
    assert job.strategy.values("resolution") == (32, 64)
    assert job.search.budget.trials == 3
    assert job.tracking.uri == "http://host:5000/?a=b"
    assert parse_job(job).strategy.sample(random.Random(0)).penalty == L2(strength=0.5)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs=0", "--set training.epochs: is 0, but must be between 1 and 1000"),
        (
            "training.epochs='5'",
            "--set training.epochs: is the text '5', but must be a whole number; remove the quotes",
        ),
        ("training.epoch=5", "--set training.epoch: is not a key of training; did you mean `epochs`?"),
        ("trainig.epochs=5", "--set trainig: is not a key of a job; did you mean `training`?"),
        (
            "search.scheduler={kind: asha, grace: 1}",
            "--set search.scheduler.grace: is not a key of search.scheduler of kind",
        ),
        ("search.scheduler.grace_epochs=9", "--set search.scheduler: has no `kind`, which must be one of none, asha"),
        ("training.epochs", "--set: is `training.epochs`, but must be a dotted key and a value"),
        ("=3", "--set: is `=3`, but must be a dotted key and a value"),
        ("training..epochs=3", "--set: is `training..epochs=3`, but must be a dotted key and a value"),
        ("training.epochs=[1", "--set training.epochs: opens a list with `[`"),
        ("training={epochs: 1, epochs: 2}", "--set training: gives a key twice"),
        (
            "training.epochs.deep=1",
            "--set training.epochs.deep: cannot be set, because training.epochs is 3 and holds no",
        ),
        ("training.patience=a", "--set training.patience: is the text 'a', but must be a whole number"),
    ],
)
def test_an_override_that_is_wrong_is_named(job_file: Path, override: str, expected: str) -> None:
    assert told(job_file, override)[0].startswith(expected)


def test_problems_of_file_and_overrides_are_told_together(job_file: Path) -> None:
    rewritten(job_file, "name: digits", "name: A B")
    found = told(job_file, "training.epochs=0", "nonsense")

    assert [line.split(":")[0] for line in found] == ["--set", "--set training.epochs", "x.yaml"]


def test_an_override_does_not_claim_what_the_file_says(job_file: Path) -> None:
    rewritten(job_file, "data: {kind: digits}", "data: {kind: digit}")
    assert told(job_file, "data.seed=3")[0].startswith("x.yaml:4 data: is `digit`")


def test_relative_paths_start_at_the_file_or_at_the_shell(job_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewritten(job_file, "{kind: digits}", "{kind: image_folder, path: ../pictures}")
    elsewhere = job_file.parent.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", "/home/someone")

    def path(*overrides: str) -> Path:
        return getattr(load_job(job_file, overrides).data, "path")  # noqa: B009

    assert path() == job_file.parent.parent / "pictures"
    assert path("data.path=mine") == elsewhere / "mine"
    assert path("data={kind: image_folder, path: mine}") == elsewhere / "mine"
    assert path("data.path=/abs") == Path("/abs")
    assert path("data.path=~/mine") == Path("/home/someone/mine")
    assert parse_job({"name": "j", "data": {"kind": "idx", "path": "p"}}).data.path == elsewhere / "p"


def test_a_mapping_is_not_changed_and_may_hold_specs() -> None:
    raw: dict[str, Any] = {
        "name": "j",
        "data": {"kind": "digits"},
        "strategy": Strategy(freeze=0.5),
        "training": {"epochs": 2},
    }
    job = parse_job(raw, ["training.epochs=4", "strategy.lr=0.5"])

    assert raw["training"] == {"epochs": 2}
    assert job.training.epochs == 4
    assert job.strategy.values("freeze") == (0.5,)
    assert job.strategy.values("lr") == (0.5,)
    assert parse_job(job) == job


def test_tuples_and_paths_are_taken_from_python() -> None:
    job = parse_job(
        {
            "name": "j",
            "data": {"kind": "idx", "path": Path("/d"), "classes": ("a", "b")},
            "strategy": {"freeze": {"choice": (0.0, 0.5)}},
        }
    )

    assert job.data.path == Path("/d")
    assert job.strategy.values("freeze") == (0.0, 0.5)


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(SpecError, match="must be a mapping of keys to values, or the path of a job file"):
        parse_job("jobs/x.yaml")  # type: ignore[arg-type]


nonsense = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text("a1. ", max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["kind", "choice", "uniform", "strength", "path", "epochs", "scheduler", "x"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def told_about(raw: dict[str, Any]) -> list[str]:
    try:
        parse_job(raw)
    except SpecError as error:
        return [problem.message for problem in error.problems]
    return []


@given(st.dictionaries(st.sampled_from([*Job.model_fields, "zz"]), nonsense))
def test_nonsense_brings_sentences_only(raw: dict[str, Any]) -> None:
    assert not any("nput" in message or "\n" in message for message in told_about(raw))


@given(st.dictionaries(st.sampled_from([*Strategy.model_fields, "zz"]), nonsense))
def test_nonsense_in_a_strategy_brings_sentences_only(strategy: dict[str, Any]) -> None:
    messages = told_about({"name": "j", "data": "digits", "strategy": strategy})
    assert not any("nput" in message or "\n" in message for message in messages)


def alias_bomb() -> str:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]" for i in range(8)]
    return "\n".join(lines)


HOSTILE = {
    "unknown keys": ("".join(f"key{i}: 1\n" for i in range(20_000)), "20,000 keys are none of a job (`key0`, `key1`"),
    "unknown keys below": (
        "data:\n  kind: digits\n" + "".join(f"  k{i}: 1\n" for i in range(20_000)),
        "data: 20,000 keys are none of data of kind digits (`k0`, `k1`, `k2`, …); is it the right file?",
    ),
    "unknown keys of a strategy": (
        "strategy:\n" + "".join(f"  k{i}: 1\n" for i in range(20_000)),
        "strategy: 20,000 keys are none of strategy (`k0`",
    ),
    "wrong options": (
        "strategy: {freeze: {choice: [" + ",".join(f"x{i}" for i in range(20_000)) + "]}}\n",
        "more values are wrong; mend the others first",
    ),
    "one key again and again": ("k: 1\n" * 20_000, "k: is given on line 1 and again on line 2"),
    "aliases": (alias_bomb(), "holds more than 100,000 values or 40 levels once aliases are expanded"),
    "brackets": ("x: " + "[" * 400_000, "is nested deeper than 40 levels"),
    "braces": ("x: " + "{a: " * 200_000, "is nested deeper than 40 levels"),
    "indented": ("".join(" " * i + "a:\n" for i in range(1000)), "is nested deeper than 40 levels"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_job_is_told_in_few_lines(case: str, tmp_path: Path) -> None:
    content, expected = HOSTILE[case]
    (tmp_path / "job.yaml").write_text(content)
    lines = told(tmp_path / "job.yaml")
    assert any(expected in line for line in lines), lines[:3]
    assert len(lines) <= 110


def test_what_is_no_regular_file_is_no_job_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(SpecError, match="is not a regular file, but must be a job file; save the job to one"):
            load_job(path)


def test_a_pipe_of_the_shell_is_read(job_file: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, job_file.read_bytes())
    os.close(writing)
    try:
        assert load_job(f"/dev/fd/{reading}").name == load_job(job_file).name
    finally:
        os.close(reading)


def test_a_pipe_is_read_once_and_its_paths_start_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.write(writing, b"name: x\ndata: {kind: image_folder, path: photos}\n")
    os.close(writing)
    try:
        assert not is_meta_job(f"/dev/fd/{reading}")
        assert load_job(f"/dev/fd/{reading}").data.path == tmp_path / "photos"  # type: ignore[attr-defined]
    finally:
        os.close(reading)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    raw: dict[str, Any] = {"name": "x", "data": {"kind": "digits"}}
    raw["strategy"] = raw
    with pytest.raises(SpecError, match="the job holds itself"):
        parse_job(raw)


def test_a_value_of_several_forms_is_told_of_once(job_file: Path) -> None:
    job_file.write_text("name: x\ndata: {kind: table, path: t.csv, text: a, label: ''}\n")
    assert told(job_file) == ["x.yaml:2 data.label: has 0 characters, but must have at least 1"]


def test_a_path_in_place_of_a_kind_is_told_how_to_be_written(job_file: Path) -> None:
    job_file.write_text("name: x\ndata: my/photos\n")
    (problem,) = told(job_file)
    assert problem.endswith("what lies at a path is named as {kind: …, path: my/photos}, which `graft init` writes")


def test_the_name_of_the_newest_experiment_is_no_name_of_a_job(job_file: Path) -> None:
    job_file.write_text("name: latest\ndata: digits\n")
    assert told(job_file) == [
        "x.yaml:1 name: is `latest`, but must be another name: `latest` means the newest experiment of all jobs"
    ]
