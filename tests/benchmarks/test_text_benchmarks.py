"""The parts of the benchmarks of texts and tasks that need no measurement; what needs downloads is marked slow."""

import importlib
import json
import lzma
import os
import subprocess
import sys
import zlib
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graft.data.split import UNASSIGNED, Split

HERE = Path(__file__).parent
STANZAS = """Package: a
Section: net
Tag: use::chatting,
 works-with::im
Description-en: talk
 First line.
 .
 Second   line.

Package: b
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module as the scripts do, which have their own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.syspath_prepend(str(HERE / "rotated_digits"))
    return importlib.import_module


@pytest.mark.parametrize(
    "script", ["text", "multilabel", "batch_cost", "freed_memory", "adapters", "closed_form", "head_phase", "contrast"]
)
def test_the_smallest_run_of_each_ends_with_its_json_line(run_script: Any, script: str) -> None:
    assert run_script(script, "--smoke")[-1]["benchmark"] == script


def test_the_smallest_run_on_a_kind_of_data_of_another_package_ends_with_its_json_line() -> None:
    """In a process of its own, like all that other packages add."""
    assert last_line("regression")["benchmark"] == "regression"


@pytest.mark.slow
@pytest.mark.ray
def test_the_smallest_search_over_texts_ends_with_its_json_line() -> None:
    found = last_line("text_prefix")
    assert found["variants"]["n"]["speed_up"] == 1.0
    assert [run["trials"]["completed"] for run in found["runs"]] == [2, 2, 2]


@pytest.mark.slow
def test_the_sets_can_be_fetched(tmp_path: Path) -> None:
    found = last_line("text_sets", str(tmp_path), arguments=["--train", "100", "--test", "50"])
    assert [(one["train"], one["test"]) for one in found["results"]] == [(100, 50)] * 5


def last_line(script: str, *places: str, arguments: list[str] | None = None) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["OMP_NUM_THREADS"] = "1"  # threads of two libraries that wait for each other take twenty times as long
    command = [sys.executable, HERE / f"{script}.py", *places, *(arguments or ["--smoke"])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


# --- sets ---


def test_a_control_file_is_read_with_its_continuation_lines(module: Any) -> None:
    debian = module("texts.debian")
    first, second = debian.stanzas(STANZAS)
    assert second == {"Package": "b"}
    assert first["Tag"] == "use::chatting,\nworks-with::im"
    assert debian.plain(first["Description-en"]) == "talk First line. Second line."


@pytest.mark.parametrize("letter", [b"Z", b"2", b""])
def test_blocks_of_r_are_unpacked_whatever_packs_them(module: Any, letter: bytes) -> None:
    import bz2

    raw = b"what R has written" * 9
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
    packed = {
        b"Z": lzma.compress(raw, format=lzma.FORMAT_RAW, filters=filters),
        b"2": bz2.compress(raw),
        b"": zlib.compress(raw),
    }[letter]
    block = len(raw).to_bytes(4, "big") + letter + packed
    assert module("texts.r_tables").unpacked_block(b"??" + block + b"!!", 2, len(block)) == raw


def packages(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"p{number}",
            "source": f"s{number // 2}",
            "section": "net" if number % 3 else "doc",
            "tags": ["use::chatting", f"use::rare{number}", "role::program"],
            "kilobytes": 10 ** (number % 4),
            "text": f"What package number {number} is good for.",
        }
        for number in range(count)
    ]


def test_rows_of_a_source_stay_together_and_rare_tags_are_left_out(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sets = module("text_sets")
    monkeypatch.setattr(sets, "fetch_packages", lambda cache: packages(300))
    assert {row.label for row in sets.debtags(tmp_path)} == {"use::chatting"}
    assert {row.label for row in sets.deb_section(tmp_path)} == {"net"}
    assert {float(row.label) for row in sets.deb_size(tmp_path)} == {0.0, 1.0, 2.0, 3.0}
    path = sets.write_set("deb_size", 0, tmp_path, train=50, test=10)
    parts = sets.read_set(path)
    assert [len(texts) for texts, _ in parts.values()] == [50, 10]
    assert not set(parts["train"][0]) & set(parts["test"][0])
    other = sets.read_set(sets.write_set("deb_size", 1, tmp_path, train=50, test=10))
    assert other["train"] != parts["train"]


# --- scores ---


def test_rows_of_a_group_are_drawn_together(module: Any) -> None:
    paired, rng = module("paired"), np.random.default_rng(0)
    groups = [f"g{row // 20}" for row in range(400)]
    ours, theirs = np.repeat(rng.normal(size=20), 20), np.zeros(400)
    rows, wholes = (
        paired.difference(paired.mean_absolute_error, ours, theirs, theirs, groups=one) for one in (None, groups)
    )
    assert rows.value == wholes.value
    assert wholes.high - wholes.low > 3 * (rows.high - rows.low)


def test_a_paired_difference_is_narrow_where_both_fail_on_the_same_rows(module: Any) -> None:
    paired = module("paired")
    targets = np.array([0, 1] * 100)
    theirs = np.where(np.arange(200) < 60, 1 - targets, targets)
    ours = np.where(np.arange(200) < 50, 1 - targets, targets)
    found = paired.difference(paired.accuracy, ours, theirs, targets)
    assert found.value == pytest.approx(0.05)
    assert 0.01 < found.low < 0.05 < found.high < 0.09
    with pytest.raises(ValueError, match="199, 200 and 200 rows"):
        paired.difference(paired.accuracy, ours[1:], theirs, targets)


def test_the_mean_average_precision_is_of_the_labels_that_occur(module: Any) -> None:
    labels = np.array([[1, 0], [0, 0]])
    assert module("paired").mean_average_precision(np.array([[0.9, 0.9], [0.1, 0.1]]), labels) == 1.0


def test_graft_is_held_against_the_best_of_the_others(module: Any) -> None:
    text, outcome = module("text"), module("outcomes").Outcome
    found = text.figures(
        [
            outcome("words", 1.0, ["a", "a", "b", "b"], (0.0, 0.0)),
            outcome("frozen", 1.0, ["b", "a", "a", "b"], (0.0, 0.0)),
            outcome("graft", 1.0, ["a", "b", "b", "b"], (0.0, 0.0)),
        ],
        ["a", "b", "b", "b"],
    )
    assert (found["best_other"], found["ratio"]) == ("words", pytest.approx(4 / 3))
    assert found["difference"].startswith("+0.250")


def test_an_outcome_is_kept(module: Any, tmp_path: Path) -> None:
    outcomes, calls = module("outcomes"), []

    def run() -> Any:
        calls.append(1)
        return np.array([1.0, 2.0]), {"seen": len(calls)}

    kept = tmp_path / "x.json"
    first = outcomes.outcome_of("m", run, kept)
    assert outcomes.outcome_of("m", run, kept).array.tolist() == first.array.tolist() == [1.0, 2.0]
    assert outcomes.outcome_of("m", run, kept, again=True).facts == {"seen": 2}


def test_labels_of_a_cell_become_indicators(module: Any) -> None:
    found = module("multilabel").indicators(["a;c", "b", "d"], ["a", "b", "c"])
    assert found.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_shares_of_the_ceiling_are_of_the_run_without_a_store(module: Any) -> None:
    runs = [{"variant": variant, "search": seconds} for variant, seconds in {"a": 50.0, "w": 40.0, "n": 100.0}.items()]
    found = module("text_prefix").figures(runs, ceiling=2.5)
    assert found["a"] == {"search": 50.0, "speed_up": 2.0, "share": 0.8}
    assert (found["w"]["share"], found["n"]["speed_up"]) == (1.0, 1.0)


# --- turned digits, and the cost of a batch ---


def test_turned_digits_are_the_same_again_and_turn_with_the_angle(module: Any) -> None:
    source, spec = module("graft_rotated_digits.source"), module("graft_rotated_digits.spec").RotatedDigitsData
    listing = source.list_rotated(spec(images=50))
    assert listing.identity == source.list_rotated(spec(images=50)).identity
    assert listing.identity != source.list_rotated(spec(images=50, seed=1)).identity
    assert (np.abs(listing.targets.values) <= 60).all()
    assert [int(np.sum(listing.given == code)) for code in (Split.TEST, UNASSIGNED)] == [10, 40]
    bar = np.zeros((8, 8))
    bar[3:5] = 16
    upright = np.frombuffer(source.turned(bar, 0.0, 32), np.uint8).reshape(32, 32)
    quarter = np.frombuffer(source.turned(bar, 90.0, 32), np.uint8).reshape(32, 32)
    assert np.abs(upright.T[::-1].astype(int) - quarter).mean() < 2


def test_the_package_adds_its_kind_of_data_without_being_installed() -> None:
    program = (
        "from graft.spec.load import parse_job\n"
        "job = parse_job({'version': 1, 'name': 'x', 'data': {'kind': 'rotated_digits', 'images': 40}})\n"
        "from graft.pipeline.resolve import resolve_job\n"
        "print(resolve_job(job).job.task.kind, type(job.data).__module__)\n"
    )
    there = os.pathsep.join([str(HERE / "rotated_digits"), *sys.path])
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": there}, check=False)
    assert done.stdout.split() == ["regression", "graft_rotated_digits.spec"], done.stderr[-2000:]


def test_both_ways_to_give_a_batch_compute_the_same(module: Any) -> None:
    import torch

    batch_cost = module("batch_cost")
    for freeze in (0.0, 1.0):
        session, both = batch_cost.ways(freeze, 32, 4)
        session.model.eval()
        with torch.no_grad():
            outputs = [way.forward(way.make()) for way in both.values()]
        assert torch.equal(*outputs)


def test_the_job_of_a_table_of_texts_is_valid(module: Any, tmp_path: Path) -> None:
    from graft.spec.load import parse_job

    path = tmp_path / "a.csv"
    path.write_text("text,label,split\n")
    adapted, prefix = module("texts.adapted"), module("text_prefix")
    assert parse_job(adapted.text_job(path, "multilabel", 0, 10.0)).search.budget.minutes == 10
    options = Namespace(cuts=[6, 5, 4], lrs=[1e-4, 1e-3], limit=100, max_tokens=64, epochs=2)
    assert parse_job(prefix.job_of(path, options)).strategy.grid_size() == 6
