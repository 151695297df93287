"""From decoded blocks to the rows of a dataset, in this process."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from graft.data.columns import ColumnSpec, Ragged, StorageSpec
from graft.data.dataset import SIGNS, Dataset, files_of, open_dataset
from graft.data.decoding.blocks import local_blocks
from graft.data.decoding.clean import Cleaned, clean
from graft.data.decoding.collect import collect
from graft.data.listing import DecodedBlock, Listing
from graft.data.plan import Ingestion, plan_ingest
from graft.data.read import Unreadable
from graft.data.split import UNASSIGNED
from graft.data.store import Origin, write_rows
from graft.data.targets import RawTargets
from graft.doctor.examiner import Doctor
from graft.spec.checks.base import Action
from graft.spec.modalities.image import DigitsData
from graft.spec.tasks.classification import Classification
from graft.tasks.registry import build_task

WORDS = StorageSpec("words", (ColumnSpec("letters", "uint8", None), ColumnSpec("count", "int64")))
TEXTS = [f"word{row}" * (row % 3 + 1) for row in range(20)]
TEXTS[7] = TEXTS[3]
TEXTS[11] = ""


class Bomb(Unreadable):
    kind = "bomb"


class Words:
    def __call__(self, sources: list[bytes]) -> DecodedBlock:
        letters = [np.frombuffer(one, np.uint8) for one in sources]
        counts = np.array([len(one) for one in sources])
        signs = {"length": counts, "ends": np.array([[one[0], one[-1]] if len(one) else [0, 0] for one in letters])}
        block = DecodedBlock(
            {"letters": letters, "count": counts}, [one.hex() for one in sources], [""] * len(sources), signs=signs
        )
        for place, one in enumerate(sources):
            if not one:
                block.leave_out(place, Bomb("is empty"))
        return block


def work(clean: dict[str, Action]) -> Ingestion:
    listing = Listing(
        source="words",
        ids=tuple(str(row) for row in range(20)),
        targets=RawTargets(np.arange(20) % 2, ("even", "odd")),
        given=np.full(20, UNASSIGNED, np.uint8),
        identity="words",
        sources=[text.encode() for text in TEXTS],
    )
    spec, task = DigitsData(clean=clean), build_task(Classification())
    return Ingestion(plan_ingest(listing, spec, task, WORDS), Words(), task, 0.1, Doctor(spec.clean))


def cleaned(given: dict[str, Action], directory: Path) -> tuple[Cleaned, Dataset]:
    wanted = work(given)
    decoded = collect(wanted.plan, local_blocks(wanted), directory, lambda done, total: None)
    found = clean(wanted, decoded, directory)
    findings, names = found.findings, wanted.plan.targets.names
    origin = Origin("words", names, WORDS, decoded.quarantine, findings=findings, dropped=found.dropped)
    write_rows(directory, found.rows, origin)
    return found, open_dataset(directory, verify=True)


def test_signs_lie_beside_the_rows(tmp_path: Path) -> None:
    found, dataset = cleaned({}, tmp_path)
    assert dataset.ids == tuple(str(row) for row in range(20) if row != 11)
    assert dataset.signs["length"].tolist() == [len(text) for text in TEXTS if text]
    assert dataset.signs["ends"].shape == (19, 2)
    assert pq.read_table(tmp_path / SIGNS).column_names == ["length", "ends"]
    assert dataset.quarantine[0].kind == "bomb"
    assert [one.kind for one in dataset.findings or ()] == [one.kind for one in found.findings or ()]


def test_what_is_dropped_is_in_no_column(tmp_path: Path) -> None:
    _, dataset = cleaned({"duplicate": "drop", "split_leak": "drop"}, tmp_path)
    (gone,) = dataset.dropped
    assert gone.path in ("3", "7")
    assert gone.kind in ("duplicate", "split_leak")
    kept = [row for row in range(20) if str(row) not in (gone.path, "11")]
    assert dataset.ids == tuple(map(str, kept))
    letters = dataset.columns["letters"]
    assert isinstance(letters, Ragged)
    assert [bytes(letters.row(row)).decode() for row in range(len(kept))] == [TEXTS[row] for row in kept]
    assert np.array(dataset.columns["count"]).tolist() == [len(TEXTS[row]) for row in kept]
    assert dataset.signs["length"].tolist() == [len(TEXTS[row]) for row in kept]
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".json"} == {*files_of(WORDS.columns), SIGNS}


def test_copies_are_brought_to_one_side_and_nobody_divides_them(tmp_path: Path) -> None:
    _, dataset = cleaned({}, tmp_path)
    assert dataset.kin is not None
    numbers, counts = np.unique(dataset.kin, return_counts=True)
    (together,) = numbers[counts > 1]
    assert {name for name, number in zip(dataset.ids, dataset.kin, strict=True) if number == together} == {"3", "7"}
    first, second = (int(dataset.splits[dataset.ids.index(name)]) for name in ("3", "7"))
    assert first == second
    assert dataset.cross_split_duplicates == 0


def test_copies_that_may_lie_anywhere_are_no_groups(tmp_path: Path) -> None:
    _, dataset = cleaned({"split_leak": "keep"}, tmp_path)
    assert dataset.kin is None


def test_of_copies_that_are_dropped_no_group_is_left(tmp_path: Path) -> None:
    _, dataset = cleaned({"duplicate": "drop"}, tmp_path)
    assert dataset.kin is None


def test_a_dataset_of_before_is_read(tmp_path: Path) -> None:
    cleaned({}, tmp_path)
    manifest = tmp_path / "manifest.json"
    raw = json.loads(manifest.read_text())
    del raw["findings"], raw["dropped"], raw["files"][SIGNS]
    for entry in raw["quarantine"]:
        del entry["kind"]
    manifest.write_text(json.dumps(raw))
    (tmp_path / SIGNS).unlink()
    dataset = open_dataset(tmp_path)
    assert (dataset.findings, dataset.signs, dataset.dropped) == (None, {}, ())
