"""From a job's data to batches and to a bundle that reads texts, with a backbone of a folder."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.modalities.text.tiny_backbone import save, tokenizer

from graft.core.errors import ArtifactError, SpecError
from graft.data.columns import Column, Ragged, StorageSpec
from graft.data.listing import DecodedBlock, Listing
from graft.modalities.text.modality import Texts
from graft.modalities.text.serving import RowText
from graft.modalities.text.storage import count_cut, length_column, most_tokens
from graft.modalities.text.tokenizer import digest_of
from graft.models.load import describe_backbone, load_backbone
from graft.spec.modalities.table import TableData
from graft.spec.modalities.text import TextModality, TextPreprocessing
from graft.spec.registry import build
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

TEXTS = ("good film", "", "the film is very very very very very very bad", "  ", "not bad")
CPU = torch.device("cpu")


def space_of(*folders: Path, max_tokens: Any = None) -> StrategySpace:
    names = [f"hf:{folder}" for folder in folders]
    raw: dict[str, Any] = {"backbone": names[0] if len(names) == 1 else {"choice": names}}
    return StrategySpace.parse(raw if max_tokens is None else raw | {"max_tokens": max_tokens})


@pytest.fixture
def modality() -> Texts:
    made: Texts = build(TextModality())
    return made


@pytest.fixture
def data(tmp_path: Path) -> TableData:
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\n" + "".join(f"{text},{number}\n" for number, text in enumerate(TEXTS)))
    return TableData(path=path, text="review", label="stars", max_characters=1000)


@pytest.fixture
def listing(modality: Texts, data: TableData) -> Listing:
    return modality.list(data)


def columns_of(storage: StorageSpec, block: DecodedBlock) -> Mapping[str, Column]:
    columns: dict[str, Column] = {}
    for spec in storage.columns:
        found = block.columns[spec.name]
        columns[spec.name] = Ragged.of(list(found), spec.dtype) if spec.shape is None else np.asarray(found)
        if spec.shape is not None:
            assert str(columns[spec.name].dtype) == spec.dtype  # type: ignore[union-attr]
    return columns


def decoded(modality: Texts, data: TableData, listing: Listing, storage: StorageSpec) -> DecodedBlock:
    decoder = pickle.loads(pickle.dumps(modality.decoder(data, listing, storage)))
    block: DecodedBlock = decoder(list(listing.sources))
    return block


def preprocessing(modality: Texts, storage: StorageSpec, folder: Path, **changes: Any) -> TextPreprocessing:
    name = f"hf:{folder}"
    return modality.preprocessing(storage, Strategy(backbone=name, **changes), describe_backbone(name))


def test_storage_has_tokens_for_each_tokenizer_of_the_space(
    modality: Texts, listing: Listing, folder: Path, tmp_path: Path
) -> None:
    twin, other = save(tmp_path / "twin", "roberta"), save(tmp_path / "other", made=tokenizer(("film",)))
    storage = modality.storage(listing, space_of(folder, twin, other, max_tokens={"choice": [8, 32]}))
    digests = sorted(digest_of((place / "tokenizer.json").read_bytes()) for place in (folder, other))
    names = [name for digest in digests for name in (f"tokens_{digest[:12]}", f"length_{digest[:12]}")]
    assert [column.name for column in storage.columns] == ["text", *names]
    assert storage.form["max_tokens"] == 32
    assert modality.storage(listing, space_of(folder)).identity != storage.identity
    assert preprocessing(modality, storage, twin).column == preprocessing(modality, storage, folder).column
    assert preprocessing(modality, storage, other).column != preprocessing(modality, storage, folder).column


def test_most_tokens_of_a_space() -> None:
    assert most_tokens(StrategySpace.parse({})) == 128
    assert most_tokens(StrategySpace.parse({"max_tokens": 16})) == 16
    assert most_tokens(StrategySpace.parse({"max_tokens": {"choice": [16, 256, 64]}})) == 256


def test_sources_become_text_and_tokens(modality: Texts, data: TableData, listing: Listing, folder: Path) -> None:
    storage = modality.storage(listing, space_of(folder, max_tokens=8))
    block = decoded(modality, data, listing, storage)
    assert block.reasons == ["", "is empty", "", "is empty", ""]
    assert block.digests == [digest_of(text.encode()) if text.strip() else "" for text in TEXTS]
    columns = columns_of(storage, block)
    assert modality.previews(columns, np.array([2, 0])) == [TEXTS[2], TEXTS[0]]
    tokens = columns[storage.columns[1].name]
    assert isinstance(tokens, Ragged)
    assert tokens.row(0).tolist() == [2, 4, 6, 3]
    assert tokens.lengths.tolist() == [4, 0, 8, 0, 4]
    assert columns[storage.columns[2].name].tolist() == [4, 0, 12, 0, 4]  # type: ignore[union-attr]
    assert [count_cut(columns, most) for most in (3, 4, 11, 12)] == [3, 1, 1, 0]


def test_a_long_text_is_cut_before_it_is_tokenized(modality: Texts, tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("review,stars\n" + "good " * 200_000 + ",1\n")
    data = TableData(path=path, text="review", label="stars", max_characters=50)
    listing = modality.list(data)
    storage = modality.storage(listing, space_of(folder))
    columns = columns_of(storage, decoded(modality, data, listing, storage))
    assert columns["text"].lengths.tolist() == [50]  # type: ignore[union-attr]
    assert columns[storage.columns[2].name].tolist() == [12]  # type: ignore[union-attr]


def test_batches_are_filled_up_to_their_longest(
    modality: Texts, data: TableData, listing: Listing, folder: Path
) -> None:
    storage = modality.storage(listing, space_of(folder, max_tokens=16))
    columns = columns_of(storage, decoded(modality, data, listing, storage))
    given = preprocessing(modality, storage, folder, max_tokens=8)
    inputs = modality.inputs(columns, given, CPU)
    assert inputs.lengths.tolist() == [4, 0, 8, 0, 4]
    assert inputs.fixed == 8
    batch = inputs.plain(np.array([4, 2]))
    assert list(batch) == ["input_ids", "attention_mask", "token_type_ids"]
    assert batch["input_ids"].tolist() == [[2, 11, 5, 3, 0, 0, 0, 0], [2, 7, 6, 9, 10, 10, 10, 3]]
    assert batch["attention_mask"].tolist() == [[1] * 4 + [0] * 4, [1] * 8]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
    assert inputs.plain(np.array([0, 4]))["input_ids"].shape == (2, 4)
    assert inputs.plain(np.array([1, 0]))["attention_mask"].tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert inputs.plain(np.array([], dtype=np.int64))["input_ids"].shape == (0, 1)


def test_the_network_takes_its_batches_and_padding_does_not_matter(
    modality: Texts, data: TableData, listing: Listing, folder: Path
) -> None:
    storage = modality.storage(listing, space_of(folder))
    columns = columns_of(storage, decoded(modality, data, listing, storage))
    inputs = modality.inputs(columns, preprocessing(modality, storage, folder), CPU)
    backbone = modality.place(load_backbone(f"hf:{folder}").backbone, CPU)
    with torch.no_grad():
        alone, together = backbone(inputs.plain(np.array([0]))), backbone(inputs.plain(np.array([0, 2])))
        example = modality.example_batch(describe_backbone(f"hf:{folder}"), 128, 3)
        assert backbone(example).shape == (3, 32)
    assert torch.allclose(alone[0], together[0], atol=1e-6)
    # Lowered to what the network has positions for.
    assert example["input_ids"].shape == (3, 64)
    assert bool(example["attention_mask"].all())


def test_the_backbone_names_its_tensors_and_its_padding(
    modality: Texts, data: TableData, listing: Listing, tmp_path: Path
) -> None:
    folder = save(tmp_path / "roberta", "roberta")
    storage = modality.storage(listing, space_of(folder, max_tokens=512))
    given = preprocessing(modality, storage, folder, max_tokens=512)
    assert (given.pad_token, given.max_tokens, given.inputs) == (1, 64, ("input_ids", "attention_mask"))


def test_preprocessing_survives_its_file(modality: Texts, listing: Listing, folder: Path) -> None:
    given = preprocessing(modality, modality.storage(listing, space_of(folder)), folder)
    assert TextPreprocessing.read_stored(given.model_dump(mode="json")) == given
    assert (given.text_column, given.max_characters, given.max_tokens) == ("review", 1000, 64)


def test_a_tokenizer_that_the_dataset_has_not_seen_is_told(
    modality: Texts, listing: Listing, folder: Path, tmp_path: Path
) -> None:
    storage = modality.storage(listing, space_of(folder))
    other = save(tmp_path / "other", made=tokenizer(("film",)))
    with pytest.raises(ArtifactError, match=r"dataset has no tokens by the tokenizer .*; ingest it again"):
        preprocessing(modality, storage, other)
    given = preprocessing(modality, storage, folder)
    with pytest.raises(ArtifactError, match=r"dataset has the columns text, but needs tokens_"):
        modality.inputs({"text": Ragged.of([], "uint8")}, given, CPU)


def test_a_changed_tokenizer_is_told(modality: Texts, data: TableData, listing: Listing, folder: Path) -> None:
    storage = modality.storage(listing, space_of(folder))
    given = preprocessing(modality, storage, folder)
    info = describe_backbone(given.tokenizer_of)
    assert modality.bundle_files(given, info) == {"tokenizer.json": (folder / "tokenizer.json").read_bytes()}
    tokenizer(("film", "bad")).save(str(folder / "tokenizer.json"))
    with pytest.raises(
        ArtifactError, match=r"the tokenizer of backbone .* is another one than when the texts were read"
    ):
        modality.bundle_files(given, info)


def test_a_backbone_of_images_is_refused(modality: Texts, listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    from graft.modalities.text import storage
    from graft.models.info import BackboneInfo

    info = BackboneInfo("x", "timm/x", "image", 1, 1, 1, input=None)
    monkeypatch.setattr(storage, "describe_backbone", lambda name: info)
    with pytest.raises(
        SpecError, match=r"strategy\.backbone: is `efficientnet_lite0`, which takes no texts, but must be"
    ):
        modality.storage(listing, StrategySpace.parse({}))


def test_a_bundle_reads_as_training_did(
    modality: Texts, data: TableData, listing: Listing, folder: Path, tmp_path: Path
) -> None:
    storage = modality.storage(listing, space_of(folder, max_tokens=8))
    given = preprocessing(modality, storage, folder, max_tokens=8)
    trained = columns_of(storage, decoded(modality, data, listing, storage))
    (tmp_path / "a.txt").write_text(TEXTS[4])
    values = [TEXTS[0], TEXTS[2].encode(), tmp_path / "a.txt", RowText("r.csv:1", TEXTS[0])]
    readings = modality.reader(given, folder)(values)
    assert readings.sources == ("#0", "#1", str(tmp_path / "a.txt"), "r.csv:1")
    assert not readings.errors
    read = modality.inputs(readings.columns, given, CPU).plain(np.arange(4))
    stored = modality.inputs(trained, given, CPU).plain(np.array([0, 2, 4, 0]))
    assert {name: tensor.tolist() for name, tensor in read.items()} == {
        name: tensor.tolist() for name, tensor in stored.items()
    }
    assert modality.previews(readings.columns, np.array([1])) == [TEXTS[2]]


def test_a_bundle_says_why_it_cannot_read(modality: Texts, listing: Listing, folder: Path, tmp_path: Path) -> None:
    given = preprocessing(modality, modality.storage(listing, space_of(folder)), folder)
    values = ["", "good", None, 3.0, b"\xff", tmp_path / "no.txt", RowText("r.csv:2", None), "a\0", "\ud800"]
    readings = modality.reader(given, folder)(values)
    assert {position: reason.split(" (")[0] for position, reason in readings.errors.items()} == {
        0: "is empty",
        2: "is missing",
        3: "is a float, but must be a text",
        4: "is not UTF-8 text",
        5: "cannot be read",
        6: "is empty",
        7: "holds NUL characters, so it is not a text",
        8: "holds half a character",
    }
    assert len(readings.columns["text"]) == 1
    nothing = modality.reader(given, folder)([])
    assert (nothing.sources, len(nothing.columns["text"])) == ((), 0)
    with pytest.raises(ArtifactError, match="cannot be read"):
        modality.reader(given, tmp_path)


def test_texts_are_found(modality: Texts, data: TableData, listing: Listing, folder: Path, tmp_path: Path) -> None:
    given = preprocessing(modality, modality.storage(listing, space_of(folder)), folder)
    texts = tmp_path / "texts"
    (texts / "deep").mkdir(parents=True)
    for name in ("b.txt", "deep/a.txt", "c.md"):
        (texts / name).write_text("x")
    (tmp_path / "other.jsonl").write_text('{"text": "x"}\n{"text": null}\n')
    found = modality.find([str(texts), data.path, texts / "c.md", tmp_path / "other.jsonl"], given)
    rows = [RowText(f"reviews.csv:{row}", text or None) for row, text in enumerate(TEXTS, start=1)]
    others = [RowText("other.jsonl:1", "x"), RowText("other.jsonl:2", None)]
    assert found == [texts / "b.txt", texts / "deep" / "a.txt", *rows, texts / "c.md", *others]


def test_what_cannot_be_found_is_told_all_at_once(modality: Texts, data: TableData, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_bytes(b"text\n\xff\n")
    with pytest.raises(SpecError) as raised:
        modality.find([tmp_path / "no.txt", tmp_path / "empty", data.path, tmp_path / "bad.csv"])
    told = [problem.message for problem in raised.value.problems]
    assert len(told) == 4
    assert told[0].endswith("no.txt does not exist; name a text file, a folder or a table")
    assert told[1].endswith("holds no .txt file; name a folder that does")
    assert told[2].endswith("has the columns `review`, `stars`, but must have one called `text`")
    assert "line 2 is not UTF-8 text" in told[3]


def test_a_bundle_brings_the_tokenizer_that_views_are_made_with(modality: Texts, data, listing, tmp_path: Path) -> None:
    folder = save(tmp_path / "tiny bert")
    storage, name = modality.storage(listing, space_of(folder)), f"hf:{folder}"
    given = modality.preprocessing(storage, Strategy(backbone=name), describe_backbone(name))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / given.tokenizer_file).write_bytes((folder / "tokenizer.json").read_bytes())
    moved = given.model_copy(update={"tokenizer_of": "of nobody"})
    assert len(modality.test_views(2, {}, moved, bundle)) == len(modality.test_views(2, {}, given)) == 2
    (bundle / given.tokenizer_file).write_text("{}")
    with pytest.raises(ArtifactError, match="put that file back"):
        modality.test_views(2, {}, moved, bundle)


def test_texts_longer_than_a_backbone_takes_are_cut_and_counted(
    modality: Texts, listing: Listing, data: TableData, tmp_path: Path
) -> None:
    folder = save(tmp_path / "short", max_position_embeddings=4)
    storage = modality.storage(listing, space_of(folder, max_tokens=16))
    columns = columns_of(storage, decoded(modality, data, listing, storage))
    info = describe_backbone(f"hf:{folder}")
    lengths = columns[length_column(info.input.digest)]
    more = int((lengths > 4).sum())
    assert 0 < more < len(lengths)
    told = modality.notes(columns, [16], [info])
    assert f"{more} of {len(lengths)} texts have more than 4 tokens, the most that hf:{folder} takes; what" in told[-1]
    given = modality.preprocessing(storage, Strategy(backbone=f"hf:{folder}", max_tokens=16), info)
    batch = modality.inputs(columns, given, torch.device("cpu")).plain(np.arange(len(lengths)))
    assert batch["input_ids"].shape[1] == 4
    with torch.inference_mode():
        assert torch.isfinite(load_backbone(f"hf:{folder}").backbone(batch)).all()
