import fcntl
import json
import os
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import ray
from ray.data import DataContext

from graft.core.errors import ArtifactError, DataError, ResourceError
from graft.core.storage import text_digest
from graft.data import ingest as module
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.dataset import MANIFEST, Dataset, Quarantined, Split, open_dataset
from graft.data.decoding import blocks as decoded_blocks
from graft.data.decoding.blocks import local_blocks
from graft.data.ingest import ingest
from graft.data.listing import DecodedBlock, Listing, list_samples
from graft.data.plan import Ingestion, plan_ingest
from graft.data.read import Unreachable
from graft.data.split import UNASSIGNED
from graft.data.streaming import ray_data
from graft.data.targets import RawTargets
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import ImageDecoder, StoredImages, decode_square, square
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.image import DigitsData, IdxData, ImageFolderData
from graft.spec.tasks.classification import Classification
from graft.tasks.registry import build_task

FORM = StoredImages(8, 3)


def work(spec: DataSpec, form: StoredImages = FORM) -> Ingestion:
    """Classify the images of a data section, by a decoder that has travelled."""
    task = build_task(Classification())
    plan = plan_ingest(list_samples(spec), spec, task, form.spec())
    decoder = pickle.loads(pickle.dumps(ImageDecoder(plan.listing.reader, form)))
    return Ingestion(plan, decoder, task, spec.max_unreadable)


@pytest.fixture(autouse=True)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are decoded in this process, in a hundredth of the time, but for the tests that are of Ray's part."""
    if request.node.get_closest_marker("ray") is None:
        monkeypatch.setattr(module, "decoded_blocks", local_blocks)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path, image_folder) -> ImageFolderData:
    return ImageFolderData(path=image_folder(tmp_path / "photos", {"cat": 12, "dog": 10}), max_unreadable=0.2)


def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        pytest.fail("something was decoded again")

    monkeypatch.setattr(module, "_decode_all", refuse)


def test_a_folder_becomes_arrays(photos, cache):
    seen: list[tuple[int, int]] = []
    dataset = ingest(work(photos), cache, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (22, 22)
    assert dataset.counts == {"train": 14, "validation": 4, "test": 4}
    assert dataset.quarantine == ()
    for row, name in enumerate(dataset.ids):
        expected = decode_square((photos.path / name).read_bytes(), FORM)
        np.testing.assert_array_equal(dataset.columns[PIXELS][row], expected)
        assert dataset.names[dataset.targets[row]] == name.split("/")[0]


def test_unreadable_files_are_left_out_and_named(photos, cache, encode, noise):
    (photos.path / "cat" / "note.png").write_text("I am text")
    (photos.path / "cat" / "half.jpg").write_bytes(encode(noise(30, 30, 3), "JPEG")[:-300])
    (photos.path / "dog" / "gone.png").symlink_to(photos.path / "nowhere")
    (photos.path / "dog" / "zero.png").write_bytes(b"")
    dataset = ingest(work(photos), cache)
    assert sum(dataset.counts.values()) == 22
    reasons = {entry.path: entry.reason for entry in dataset.quarantine}
    assert set(reasons) == {"cat/note.png", "cat/half.jpg", "dog/gone.png", "dog/zero.png"}
    assert reasons["dog/zero.png"] == "is empty"
    assert reasons["cat/note.png"].startswith("is text")
    assert reasons["cat/half.jpg"].startswith("is damaged")
    assert reasons["dog/gone.png"].startswith("cannot be read")
    assert not set(reasons) & set(dataset.ids)


def test_too_many_unreadable_files_fail_and_leave_nothing(photos, cache):
    for index in range(6):
        (photos.path / "cat" / f"zero{index}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"6 of 28 samples cannot be read.*cat/zero0.png is empty"):
        ingest(work(photos), cache)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_a_tolerance_lowered_later_holds_for_the_cache_too(photos, cache):
    (photos.path / "cat" / "zero.png").write_bytes(b"")
    ingest(work(photos), cache)
    with pytest.raises(DataError, match="1 of 23 samples cannot be read"):
        ingest(work(photos.model_copy(update={"max_unreadable": 0.0})), cache)


def test_a_class_that_loses_all_samples_of_a_split_fails(tmp_path, image_folder, cache):
    root = image_folder(tmp_path / "few", {"cat": 12, "dog": 3})
    (root / "dog" / "001.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"class `dog` has no readable sample left for .*dog/001.png"):
        ingest(work(ImageFolderData(path=root, max_unreadable=0.5)), cache)


def test_the_second_time_nothing_is_decoded(photos, cache, monkeypatch):
    first = ingest(work(photos), cache)
    no_decoding(monkeypatch)
    assert ingest(work(photos), cache) == first


def test_a_changed_file_is_decoded_again(photos, cache):
    first = ingest(work(photos), cache)
    os.utime(photos.path / "cat" / "000.png", ns=(7, 7))
    second = ingest(work(photos), cache)
    assert second.directory != first.directory
    assert second.fingerprint == first.fingerprint


def test_the_fingerprint_is_the_same_in_another_place(photos, cache, tmp_path):
    first = ingest(work(photos), cache)
    shutil.copytree(photos.path, tmp_path / "copy")
    copied = photos.model_copy(update={"path": tmp_path / "copy"})
    assert ingest(work(copied), tmp_path / "other").fingerprint == first.fingerprint


def test_a_damaged_cache_is_built_again(photos, cache):
    first = ingest(work(photos), cache)
    os.truncate(first.directory / f"{PIXELS}.npy", 100)
    assert ingest(work(photos), cache) == first
    open_dataset(first.directory, verify=True)


def test_a_dataset_of_an_earlier_format_is_built_again(photos, cache):
    first = ingest(work(photos), cache)
    (first.directory / MANIFEST).write_text(json.dumps({"format": 1, "classes": ["cat", "dog"]}))
    with pytest.raises(ArtifactError, match="has format 1, which is not read any more; run ingest again"):
        open_dataset(first.directory)
    assert ingest(work(photos), cache) == first
    open_dataset(first.directory, verify=True)


def test_what_a_killed_process_left_is_cleared_and_not_believed(photos, cache):
    target = ingest(work(photos), cache).directory
    left = cache / f".{target.name}.killed"
    target.rename(left)
    (left / MANIFEST).unlink()
    ingest(work(photos), cache)
    assert not left.exists()
    assert sorted(path.name for path in cache.iterdir()) == [target.name, f"{target.name}.lock"]


def test_only_one_process_builds_a_dataset(cache):
    with module._one_builder(cache / "key"):
        lock = (cache / "key.lock").open("w")
        with lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (cache / "key.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_duplicates_across_splits_are_counted(photos, cache):
    first = ingest(work(photos), cache)
    validation, train = first.rows(Split.VALIDATION)[0], first.rows(Split.TRAIN)[0]
    shutil.copyfile(photos.path / first.ids[train], photos.path / first.ids[validation])
    second = ingest(work(photos), cache)
    assert (first.cross_split_duplicates, second.cross_split_duplicates) == (0, 1)
    assert json.loads((second.directory / MANIFEST).read_text())["cross_split_duplicates"] == 1


@pytest.mark.parametrize("form", [StoredImages(8, 1), StoredImages(12, 3, "bilinear")])
def test_idx_files_become_arrays(idx_directory, cache, form, noise):
    dataset = ingest(work(IdxData(path=idx_directory, classes=["a", "b", "c"], limit=12), form), cache)
    assert dataset.counts == {"train": 9, "validation": 3, "test": 9}
    assert dataset.columns[PIXELS].shape == (21, form.stored_size, form.stored_size, form.channels)
    train, test = noise(30, 6, 5, seed=0), noise(9, 6, 5, seed=1)
    for row, name in enumerate(dataset.ids):
        half, _, index = name.partition("/")
        original = (train if half == "train" else test)[int(index)]
        np.testing.assert_array_equal(dataset.columns[PIXELS][row], square(original, form))


def test_the_digits_become_arrays(cache):
    dataset = ingest(work(DigitsData(), StoredImages(8, 1)), cache)
    assert dataset.counts == {"train": 1079, "validation": 359, "test": 359}
    assert dataset.columns[PIXELS].shape == (1797, 8, 8, 1)
    assert dataset.columns[PIXELS][0, 0, 2, 0] == round(5 * 255 / 16)


def test_the_quarantine_survives_the_cache(photos, cache):
    (photos.path / "cat" / "zero.png").write_bytes(b"")
    ingest(work(photos), cache)
    assert ingest(work(photos), cache).quarantine == (Quarantined("cat/zero.png", "is empty"),)


def test_what_is_streamed_is_looked_at_and_left_where_it_is(photos, cache):
    (photos.path / "cat" / "0.png").write_bytes(b"")
    stored = ingest(work(photos), cache)
    wanted = work(photos)
    streamed = ingest(replace(wanted, plan=replace(wanted.plan, is_streamed=True)), cache)
    assert streamed.directory.name == f"{stored.directory.name}-streamed"
    assert (streamed.is_streamed, stored.is_streamed) == (True, False)
    assert (streamed.fingerprint, streamed.ids, streamed.quarantine) == (
        stored.fingerprint, stored.ids, stored.quarantine,
    )  # fmt: skip
    assert not (streamed.directory / f"{PIXELS}.npy").exists()
    rows = np.array([20, 0, 7])
    np.testing.assert_array_equal(streamed.columns[PIXELS][rows], stored.columns[PIXELS][rows])


@dataclass(frozen=True)
class Words:
    """Decodes a source as the lengths of its words; what says so is unreadable."""

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        lengths = [np.array([len(word) for word in source.split()], np.int32) for source in sources]
        reasons = ["says so" if source.startswith(b"bad") else "" for source in sources]
        kept = [np.empty(0, np.int32) if why else one for one, why in zip(lengths, reasons, strict=True)]
        digests = ["" if why else text_digest(source.decode()) for source, why in zip(sources, reasons, strict=True)]
        return DecodedBlock({"lengths": kept, "count": np.array([len(one) for one in kept])}, digests, reasons)


WORDS = StorageSpec("text", (ColumnSpec("lengths", "int32", None), ColumnSpec("count", "int64")), {}, "words")


def words(sources: list[bytes]) -> Ingestion:
    """Forty texts of two classes."""
    labels, given = RawTargets(np.arange(40) % 2, ("even", "odd")), np.full(40, UNASSIGNED, np.uint8)
    listing = Listing("words", tuple(str(index) for index in range(40)), labels, given, "words", sources)
    task = build_task(Classification())
    return Ingestion(plan_ingest(listing, DigitsData(), task, WORDS), Words(), task, 0.1)


@pytest.mark.parametrize("rows_of_a_block", [1, 7, 512])
def test_rows_of_any_length_become_columns_in_order(cache, monkeypatch, rows_of_a_block):
    monkeypatch.setattr(decoded_blocks, "MAX_BLOCK_ROWS", rows_of_a_block)
    sources = [("ab " * (index % 7)).encode() for index in range(40)]
    sources[5] = sources[21] = b"bad one"
    dataset = ingest(words(sources), cache)
    columns = dataset.columns
    assert [entry.path for entry in dataset.quarantine] == ["5", "21"]
    assert [int(name) for name in dataset.ids] == [index for index in range(40) if index not in (5, 21)]
    assert columns["lengths"].lengths.tolist() == [int(name) % 7 for name in dataset.ids]
    assert columns["count"].tolist() == [int(name) % 7 for name in dataset.ids]
    assert set(columns["lengths"].values.tolist()) == {2}
    assert dataset.targets.tolist() == [int(name) % 2 for name in dataset.ids]
    assert dataset.facts == {"num_outputs": 2}
    open_dataset(dataset.directory, verify=True)


def test_a_dataset_whose_rows_are_all_empty_is_one(cache):
    dataset = ingest(words([b""] * 40), cache)
    assert dataset.arrays().columns["lengths"].lengths.tolist() == [0] * 40


@dataclass(frozen=True)
class Locked:
    """Decodes what `Words` does, but what says so may not be read as long as a file is there."""

    lock: str

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        block = Words()([source.removeprefix(b"secret ") for source in sources])
        for place, source in enumerate(sources):
            if source.startswith(b"secret") and os.path.exists(self.lock):
                block.columns["lengths"][place] = np.empty(0, np.int32)
                block.digests[place] = ""
                block.leave_out(place, Unreachable("cannot be read (Permission denied)"))
            elif source.startswith(b"odd"):
                block.remarks[place] = "are odd and are taken for even"
        return block


def test_what_may_not_be_read_now_is_left_out_of_this_dataset_only(cache, tmp_path):
    sources = [f"word {index}".encode() for index in range(40)]
    sources[7] = b"secret word"
    lock = tmp_path / "lock"
    lock.touch()
    locked = replace(words(sources), decoder=Locked(str(lock)))
    first = ingest(locked, cache)
    assert first.quarantine == (Quarantined("7", "cannot be read (Permission denied)", True),)
    assert sum(first.counts.values()) == 39
    again = ingest(locked, cache)
    assert again == first, "what still may not be read gives the same dataset"
    lock.unlink()
    whole = ingest(locked, cache)
    assert (whole.quarantine, sum(whole.counts.values())) == ((), 40)
    assert open_dataset(first.directory) == first, "a run that uses it still finds it"
    lock.touch()
    assert ingest(locked, cache) == whole, "what has been read once is known"


def test_what_was_assumed_is_counted(cache):
    sources = [(b"odd one" if index % 4 == 0 else b"word") for index in range(40)]
    found = replace(words(sources), decoder=Locked("/nowhere"))
    assert ingest(found, cache).remarks == {"are odd and are taken for even": 10}
    assert ingest(found, cache).remarks == {"are odd and are taken for even": 10}


@dataclass(frozen=True)
class Starved:
    """Decodes nothing: the machine lacks something.

    Attributes:
        error: what is raised.
    """

    error: Exception

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        raise self.error


@pytest.mark.parametrize("number", [13, 5, 24, 12])
def test_a_dataset_that_cannot_be_opened_now_is_not_thrown_away(number, cache, monkeypatch):
    dataset = ingest(words([b"word"] * 40), cache)

    def fail(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(np, "load", fail)
        with pytest.raises(ResourceError, match=rf"cannot be read \({os.strerror(number)}\)"):
            ingest(words([b"word"] * 40), cache)
    assert open_dataset(dataset.directory, verify=True) == dataset


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
class TestOnRay:
    def test_blocks_are_those_that_are_made_here(self, monkeypatch, tmp_path):
        monkeypatch.setattr(decoded_blocks, "MAX_BLOCK_ROWS", 7)
        sources = [("ab " * (index % 7)).encode() for index in range(40)]
        sources[5], sources[9], sources[21], sources[30] = b"bad one", b"secret word", b"bad two", b"odd one"
        given = replace(words(sources), decoder=Locked(str(tmp_path)))
        theirs, ours = list(module.decoded_blocks(given)), list(local_blocks(given))
        assert len(theirs) == len(ours) == 6
        for their, our in zip(theirs, ours, strict=True):
            assert {name: list(values) for name, values in their.items()} == {
                name: list(values) for name, values in our.items()
            }

    def test_several_blocks_keep_the_order(self, photos, cache, monkeypatch):
        monkeypatch.setattr(decoded_blocks, "MAX_BLOCK_ROWS", 4)
        seen: list[tuple[int, int]] = []
        (photos.path / "cat" / "005.png").write_bytes(b"")
        dataset = ingest(work(photos), cache, lambda done, total: seen.append((done, total)))
        assert [done for done, _ in seen] == [4, 8, 12, 16, 20, 22]
        assert list(dataset.ids) == sorted(dataset.ids)
        assert len(dataset.ids) == 21
        expected = [decode_square((photos.path / name).read_bytes(), FORM) for name in dataset.ids]
        np.testing.assert_array_equal(dataset.columns[PIXELS], np.stack(expected))

    def test_a_failure_in_the_middle_leaves_nothing(self, photos, cache, monkeypatch):
        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        context = DataContext.get_current()
        with pytest.raises(KeyboardInterrupt) as caught:
            ingest(work(photos), cache, stop)
        assert caught.tb is not None  # the frames are still alive, and yet Ray's settings are back
        assert DataContext.get_current() is context
        assert not [path for path in cache.iterdir() if path.is_dir()]
        assert isinstance(ingest(work(photos), cache), Dataset)

    def test_rays_own_settings_stay_as_they_were(self, photos, cache):
        context = DataContext.get_current()
        before = (context.enable_progress_bars, context.execution_options.preserve_order)
        ingest(work(photos), cache)
        after = DataContext.get_current()
        assert (after.enable_progress_bars, after.execution_options.preserve_order) == before
        assert after is context

    def test_without_a_free_cpu_ray_waits_no_longer_than_the_limit(self, photos, cache, monkeypatch):
        @ray.remote
        class Busy:
            def ready(self) -> bool:
                return True

        cpus = int(ray.cluster_resources()["CPU"])
        busy = Busy.options(num_cpus=cpus).remote()
        ray.get(busy.ready.remote())
        monkeypatch.setattr(ray_data, "NO_PROGRESS_TIMEOUT_S", 0.5)
        try:
            with pytest.raises(ResourceError, match="needs one free CPU"):
                ingest(work(photos), cache)
        finally:
            ray.kill(busy)

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (ResourceError("a.png cannot be read (Too many open files); raise the limit"), "^a.png cannot be read"),
            (
                MemoryError("7000 x 7000 pixels need about 373 MiB"),
                "a sample cannot be read .*373 MiB.*free some memory",
            ),
            (OSError(24, "Too many open files"), "a sample cannot be read .Too many open files.*raise the limit"),
        ],
    )
    def test_what_the_machine_lacks_is_no_fault_of_the_data_and_leaves_nothing(self, error, told, cache):
        sources = [b"word"] * 40
        with pytest.raises(ResourceError, match=told) as raised:
            ingest(replace(words(sources), decoder=Starved(error)), cache)
        assert "\n" not in str(raised.value)
        assert not [path for path in cache.iterdir() if path.is_dir()]
        assert sum(ingest(words(sources), cache).counts.values()) == 40
