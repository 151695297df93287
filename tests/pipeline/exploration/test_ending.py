"""The labels of an exploration become the data of an experiment: what is trained on, and what is never."""

from pathlib import Path

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.core.storage import Home
from graft.data.dataset import Split
from graft.data.read import Unreadable
from graft.exploration.labels import Labels
from graft.models.load import check_backbone
from graft.pipeline.exploration.ending import Ending, Labelled, experiment_of, job_of
from graft.pipeline.exploration.pool import Pool, Wish, find_pool
from graft.pipeline.stages.ingest import ingestion_of

needs_weights = pytest.mark.skipif(bool(check_backbone("minilm_l6")), reason="needs the weights")
IDS = tuple(f"s{row}" for row in range(30))


def labels(train: str, audit: str) -> Labels:
    """A letter is a label, `?` one that could not be told."""
    found = Labels()
    for row, name in enumerate(train):
        found.add(row, None if name == "?" else name, "train")
    for row, name in enumerate(audit, start=len(train)):
        found.add(row, None if name == "?" else name, "audit")
    return found


def test_the_audit_is_the_test_unless_the_source_has_tests_of_its_own() -> None:
    given = labels("aab?", "ab?")
    alone, beside = Labelled.of(given, IDS, 0), Labelled.of(given, IDS, 9)
    assert (dict(alone.train), dict(alone.test)) == ({"s0": "a", "s1": "a", "s2": "b"}, {"s4": "a", "s5": "b"})
    assert (len(beside.train), dict(beside.test), beside.tests) == (5, {}, 9)


def test_of_each_class_with_two_labels_one_in_five_is_held_out_and_single_ones_are_trained_on() -> None:
    splits = Labelled.of(labels("aaaaaaaabbc", "a"), IDS, 0).splits()
    assert [IDS.index(name) for name, split in splits.items() if split == "validation"] == [1, 6, 9]
    assert splits["s10"] == "train"


@pytest.mark.parametrize(
    ("train", "audit", "told"),
    [
        ("aaa", "ab", "labels of 1 class"),
        ("", "ab", "labels of 0 class"),
        ("ab", "ab", "no class has two labels"),
        ("aab", "??", "no label of the audit"),
    ],
)
def test_why_there_is_no_experiment(train: str, audit: str, told: str) -> None:
    assert told in Labelled.of(labels(train, audit), IDS, 0).problem
    assert str(Ending(problem=told)) == f"no experiment: {told}"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "notes.csv"
    rows = [f"text number {row},{'abc'[row % 3]},{'test' if row >= 24 else 'train'}" for row in range(30)]
    path.write_text("\n".join(["text,kind,split", *rows]))
    return path


def whole_job(table: Path) -> Path:
    path = table.with_name("job.yaml")
    data = f"{{kind: table, path: {table}, text: text, label: kind, split: split}}"
    path.write_text(f"name: notes\ndata: {data}\nstrategy: {{backbone: minilm_l6}}\nresources: {{workers: 1}}\n")
    return path


def planned(pool: Pool, labelled: Labelled, home: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Samples of each split, and the classes, as an ingest plans them."""
    plan = ingestion_of(job_of(pool, labelled, Home(home), is_reached=True)).plan
    return {split.name: int(np.sum(plan.splits == split)) for split in Split}, plan.targets.names


@needs_weights
def test_test_samples_of_a_job_are_in_no_pool_and_the_model_is_tested_on_them(table: Path, tmp_path: Path) -> None:
    pool = find_pool(whole_job(table), Wish(oracle="labels"))
    assert (len(pool.ids), len(pool.tests), pool.names) == (24, 6, ("a", "b", "c"))
    assert not {f"notes.csv:{row}" for row in range(25, 31)} & set(pool.ids)
    known = labels("abcabcabc", "abc")
    counts, names = planned(pool, Labelled.of(known, pool.ids, len(pool.tests)), tmp_path / "home")
    assert counts == {"TRAIN": 9, "VALIDATION": 3, "TEST": 6}
    assert names == ("a", "b", "c")
    job = job_of(pool, Labelled.of(known, pool.ids, 6), Home(tmp_path / "home"), is_reached=False)
    assert (job.name, job.resources.workers, job.export.register) == ("notes", 1, False)


@needs_weights
def test_a_class_that_only_the_audit_has_counts_against_the_model(table: Path, tmp_path: Path) -> None:
    pool = find_pool(table, Wish(sample="text"))
    counts, names = planned(pool, Labelled.of(labels("aabbb", "abz"), pool.ids, 0), tmp_path / "home")
    assert counts == {"TRAIN": 3, "VALIDATION": 2, "TEST": 3}
    assert names == ("a", "b", "z")


@needs_weights
def test_a_killed_exploration_finds_its_experiment_again(table: Path, tmp_path: Path) -> None:
    pool, home = find_pool(table, Wish(sample="text")), Home(tmp_path / "home")
    directory = home.explorations / "notes"
    directory.mkdir(parents=True)
    labelled = Labelled.of(labels("aabbb", "ab"), pool.ids, 0)
    first = experiment_of(directory, pool, labelled, home, is_reached=True)
    assert first == experiment_of(directory, pool, labelled, home, is_reached=True)
    assert not isinstance(first, str)
    assert first.job().export.register
    assert experiment_of(directory, pool, Labelled({}, {}), home, is_reached=True) == Labelled({}, {}).problem


@needs_weights
def test_a_labelled_sample_that_has_gone_is_named(table: Path, tmp_path: Path) -> None:
    pool = find_pool(table, Wish(sample="text"))
    gone = Labelled({"notes.csv:1": "a", "notes.csv:2": "a", "notes.csv:99": "b"}, {"notes.csv:3": "b"})
    with pytest.raises(DataError, match=r"notes.csv:99 has been labelled, but is not in .* any more; put it back"):
        job_of(pool, gone, Home(tmp_path / "home"), is_reached=True)
    with pytest.raises(Unreadable, match="not in the pool any more"):
        pool.exhibit("notes.csv:99")
    assert pool.exhibit("notes.csv:1").text == "text number 0"


@needs_weights
def test_a_job_of_tests_alone_is_an_empty_pool(table: Path) -> None:
    table.write_text("text,kind,split\none,a,test\ntwo,b,test\n")
    with pytest.raises(DataError, match=r"all 2 samples of .* are for validation or test, but some must be trained on"):
        find_pool(whole_job(table), Wish())
