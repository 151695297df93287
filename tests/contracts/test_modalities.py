"""What every modality must keep, whoever wrote it: from a source to answers. A new one adds a source to `SOURCES`.

- listing, decoding and batches depend on the source alone; a damaged sample is named, and stops nothing;
- what is drawn at random depends on the seed alone;
- its preprocessing and a whole bundle come back in a fresh process, and answer as before;
- with every task that its sources can have, a job runs from end to end.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import graft
from graft.data.augmentation.draws import Draws
from graft.data.columns import Column, Ragged
from graft.data.listing import DecodedBlock
from graft.experiments.result import Result
from graft.modalities.registry import build_modality
from graft.modalities.several_views import seen_as
from graft.models.load import describe_backbone, load_backbone
from graft.serving.samples import samples_of
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.modalities.base import Preprocessing
from graft.spec.registry import members
from graft.tasks.registry import build_task

ROWS = 80
TASKS = {"classification": "kind", "regression": "size", "multilabel": "marks"}
"""The column of labels for each task."""

STRATEGY = {"lr": 1e-3, "freeze": 1.0, "batch_size": 16}
SMALL = {"image": {"resolution": 32}, "text": {"max_tokens": 16}}
CPU = torch.device("cpu")


def _table(folder: Path, cells: list[str]) -> Path:
    marks = ("wide;red", "red", "blue")
    rows = [f"{cell},{'owl' if row % 2 else 'cat'},{row / 10:.1f},{marks[row % 3]}" for row, cell in enumerate(cells)]
    (folder / "table.csv").write_text("\n".join(["file,kind,size,marks", *rows]))
    return folder / "table.csv"


def _photos(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for row in range(ROWS):
        pixels = random.integers(0, 80, (24, 20, 3)) + (row % 2) * 100
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row}.png")
    table = _table(folder, [f"{row}.png" for row in range(ROWS)])
    return {"kind": "table", "path": str(table), "image": "file", "label": "kind"}


def _texts(folder: Path) -> dict[str, Any]:
    words = ("red", "blue", "slow", "fast")
    cells = [f"{words[row % 4]} and {'good' if row % 2 else 'bad'} {row}" for row in range(ROWS)]
    return {"kind": "table", "path": str(_table(folder, cells)), "text": "file", "label": "kind"}


SOURCES: dict[str, Callable[[Path], dict[str, Any]]] = {"image": _photos, "text": _texts}
PAIRS = [(modality, task) for modality in SOURCES for task in TASKS]
IN_EVERY_RUN = ("text", "classification")
"""A whole run costs ten seconds; runs of the other pairs are slow tests."""


def _source_of(modality: str, folder: Path) -> dict[str, Any]:
    if modality in SOURCES:
        return SOURCES[modality](folder)
    # Of another package: the first kind of data that needs nothing from outside.
    theirs = {kind: spec for kind, spec in members("data_kind").items() if not spec.__module__.startswith("graft.")}
    kinds = {kind: spec for kind, spec in theirs.items() if not _needs_more(spec)}
    return {"kind": next(kind for kind, spec in kinds.items() if spec().modality == modality)}


def _needs_more(spec: Any) -> bool:
    return any(one.is_required() for one in spec.model_fields.values())


class Case:
    """A modality with samples of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.modality = build_modality(name)
        self.backbone = members("modality")[name].default_backbone  # type: ignore[attr-defined]
        strategy = {"backbone": self.backbone, **SMALL.get(name, {})}
        self.job: Job = parse_job({"name": "x", "data": _source_of(name, folder), "strategy": strategy})
        self.listing = self.modality.list(self.job.data)
        self.storage = self.modality.storage(self.listing, self.job.strategy)
        self.info = describe_backbone(self.backbone)
        self.strategy = self.job.strategy.build(lambda _, distribution: distribution.options[0])

    def decoded(self, sources: Any) -> DecodedBlock:
        decoder = self.modality.decoder(self.job.data, self.listing, self.storage)
        block: DecodedBlock = pickle.loads(pickle.dumps(decoder))(list(sources))
        return block

    def columns(self) -> Mapping[str, Column]:
        block = self.decoded(self.listing.sources)
        assert not any(block.reasons)
        found: dict[str, Column] = {}
        for spec in self.storage.columns:
            rows = block.columns[spec.name]
            found[spec.name] = Ragged.of(list(rows), spec.dtype) if spec.shape is None else np.asarray(rows)
        return found

    def preprocessing(self) -> Preprocessing:
        return self.modality.preprocessing(self.storage, self.strategy, self.info)

    def batch(self, rows: Any) -> Any:
        return self.modality.inputs(self.columns(), self.preprocessing(), CPU).plain(np.asarray(rows, np.int64))


@pytest.fixture(params=list(members("modality")), scope="module")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(request.param, tmp_path_factory.mktemp(request.param))


def test_the_listing_depends_on_the_source_alone(case: Case) -> None:
    again = case.modality.list(case.job.data)
    assert again.ids == case.listing.ids
    assert again.identity == case.listing.identity
    assert len(set(again.ids)) == len(again) == len(again.sources)
    assert case.storage.modality == case.name
    assert json.loads(json.dumps(dict(case.storage.form))) == dict(case.storage.form)


def test_columns_are_as_the_storage_says(case: Case) -> None:
    block = case.decoded(case.listing.sources[:4])
    assert {spec.name for spec in case.storage.columns} == set(block.columns)
    for spec in case.storage.columns:
        for row in block.columns[spec.name]:
            assert str(np.asarray(row).dtype) == spec.dtype
            assert spec.shape is None or np.asarray(row).shape == spec.shape
    assert len(set(block.digests)) == 4


def test_a_damaged_sample_is_named_and_stops_nothing(case: Case) -> None:
    sources = list(case.listing.sources[:2])
    block = case.decoded([sources[0], b"", b"\x00\xff\x00no sample at all", sources[1]])
    assert [bool(reason) for reason in block.reasons] == [False, True, True, False]
    assert [bool(digest) for digest in block.digests] == [True, False, False, True]
    assert all("\n" not in reason for reason in block.reasons)
    assert all(len(rows) == 4 for rows in block.columns.values())


def test_nothing_decodes_to_nothing(case: Case) -> None:
    block = case.decoded([])
    assert (block.digests, block.reasons) == ([], [])
    assert all(len(rows) == 0 for rows in block.columns.values())


def test_a_sample_is_the_same_in_every_batch(case: Case) -> None:
    network = load_backbone(case.backbone).backbone.eval()
    with torch.inference_mode():
        alone, together = network(case.batch([3])), network(case.batch([5, 3]))
    assert together.shape == (2, case.info.num_features)
    torch.testing.assert_close(alone[0], together[1], rtol=1e-3, atol=1e-3)


def test_an_example_is_what_the_network_takes(case: Case) -> None:
    batch = case.modality.example_batch(case.info, case.modality.size(case.strategy), 3)
    real = case.batch([0, 1, 2])
    assert batch.size == real.size == 3
    assert set(batch) == set(real)
    with torch.inference_mode():
        assert load_backbone(case.backbone).backbone.eval()(batch).shape == (3, case.info.num_features)


def test_preprocessing_comes_back_from_json(case: Case) -> None:
    given = case.preprocessing()
    assert type(given).read_stored(json.loads(json.dumps(given.model_dump(mode="json")))) == given
    assert given.kind == case.name
    assert given.size == case.modality.size(case.strategy)
    assert case.modality.sizes(case.job.strategy) == (given.size,)


def test_chance_comes_from_the_seed_alone(case: Case) -> None:
    kinds = [spec for spec in members("augmentation").values() if spec.modality in (None, case.name)]  # type: ignore[attr-defined]
    changing = [one for one in (spec.model_validate({}) for spec in kinds) if one.num_views != 0]  # type: ignore[attr-defined]
    for spec in changing:
        augmenter = case.modality.augmenter(spec, case.job.data, case.preprocessing())  # type: ignore[arg-type]
        assert augmenter is not None
        inputs = case.modality.inputs(case.columns(), case.preprocessing(), CPU)
        rows = np.arange(ROWS)
        draws = [Draws.of_epoch(rows, seed, 1) for seed in (0, 0, 1)]
        first, again, other = (inputs.augmented(augmenter, one) for one in draws)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not all(torch.equal(first[name], other[name]) for name in first)


def test_views_at_prediction_depend_on_the_sample_alone(case: Case) -> None:
    known = case.modality.invariances(case.job.data)
    assert json.loads(json.dumps(dict(known))) == dict(known)
    views = case.modality.test_views(7, known, case.preprocessing())
    inputs = case.modality.inputs(case.columns(), case.preprocessing(), CPU)
    rows, seen = np.arange(ROWS), []
    for view in seen_as(inputs, views):
        together, alone = view.plain(rows), view.plain(rows[5:6])
        seen.append(tuple(together[name].tolist().__repr__() for name in sorted(together)))
        for name, one in alone.items():
            assert torch.equal(together[name][5:6, : one.shape[1]], one)
    assert len(set(seen)) > 1 or not views


def test_a_row_of_a_served_table_is_read_again(case: Case) -> None:
    row = case.modality.example_row(case.columns(), 2)
    assert set(row) == set(case.modality.signature)
    assert json.loads(json.dumps(row)) == row
    assert len(case.modality.from_table([*row.values()])) == 1
    assert len(case.modality.previews(case.columns(), np.array([0, 1]))) == 2


def test_a_sample_of_a_listing_can_be_looked_at(case: Case) -> None:
    for row in range(3):
        shown = case.modality.exhibit(case.modality.sample_of(case.listing, row))
        assert (shown.text is None) == bool(shown.content)
        assert bool(shown.content) == bool(shown.media_type)


def test_a_sample_of_a_listing_is_what_the_reader_takes(case: Case) -> None:
    samples = [case.modality.sample_of(case.listing, row) for row in range(3)]
    assert all(case.modality.is_sample(one) for one in samples)
    assert not any(case.modality.is_sample(one) for one in (None, 3.5, {}, object()))
    assert samples_of(samples, case.modality, case.preprocessing()) == samples
    assert case.modality.forms
    assert case.modality.table_columns(case.preprocessing())


@dataclass(frozen=True)
class Finished:
    """A run of one pair, and the table that it has learned from."""

    modality: str
    task: str
    result: Result
    table: str


def _pair(pair: tuple[str, str]) -> Any:
    return pytest.param(pair, marks=() if pair == IN_EVERY_RUN else pytest.mark.slow, id="-".join(pair))


@pytest.fixture(scope="module", params=[_pair(pair) for pair in PAIRS])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ray_session: None) -> Finished:
    """A small run of a modality and a task."""
    modality, task = request.param
    data = SOURCES[modality](tmp_path_factory.mktemp(f"{modality}_{task}"))
    job = {
        "name": f"{modality}-{task}",
        "data": {**data, "label": TASKS[task], "validation": 0.4},
        "strategy": {**STRATEGY, **SMALL[modality]},
        "training": {"epochs": 1, "fit": {"ensemble": 2}},
        "search": {"budget": {"trials": 2}, "first": [{}, {"head": "ridge"}]},
        "export": {"register": False},
    }
    return Finished(modality, task, graft.run(job, home=tmp_path_factory.mktemp("home")), data["path"])


@pytest.mark.ray
def test_a_job_runs_from_end_to_end(finished: Finished) -> None:
    summary, task = finished.result.summary, finished.task
    assert (summary["status"], summary["task"], summary["modalities"]) == ("completed", task, [finished.modality])
    assert summary["ensemble"]["candidates"] == 2
    metrics = {metric.name for metric in build_task(members("task")[task].model_validate({})).spec.metrics}
    for split in ("validation", "test"):
        assert set(summary["metrics"][split]) == metrics
        for found in summary["metrics"][split].values():
            assert np.isfinite(found["value"])
            assert found["interval"] is None or found["interval"][0] <= found["interval"][1]


@pytest.mark.ray
def test_the_bundle_answers_the_same_in_a_fresh_process(finished: Finished, repository: Path, tmp_path: Path) -> None:
    found = finished.result.predictor.predict_files([finished.table])
    asked = {str(finished.result.summary["bundle"]): [finished.table, [one.to_dict() for one in found]]}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    done = subprocess.run(
        [sys.executable, "-c", ANSWER_AGAIN, str(tmp_path / "asked.json")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "platform")},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == dict.fromkeys(asked, True)


ANSWER_AGAIN = """
import json, sys
from pathlib import Path
from graft.serving.predictor import Predictor

same = {}
for bundle, (table, answers) in json.loads(Path(sys.argv[1]).read_text()).items():
    found = Predictor.from_directory(Path(bundle)).predict_files([table])
    same[bundle] = json.loads(json.dumps([one.to_dict() for one in found])) == answers
print(json.dumps(same))
"""
