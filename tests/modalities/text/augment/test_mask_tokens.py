"""A job that masks with a tokenizer that cannot is refused before anything is read."""

from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.pipeline.resolve import resolve_job
from graft.spec.load import parse_job


def job(backbone: str, augment: object, tmp_path: Path) -> object:
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"a good film {n},{'ab'[n % 2]}\n" for n in range(20)))
    data = {"kind": "table", "path": str(tmp_path / "t.csv"), "text": "text", "label": "label"}
    return resolve_job(parse_job({"name": "x", "data": data, "strategy": {"backbone": backbone, "augment": augment}}))


def test_a_tokenizer_with_a_mask_may_mask(tmp_path: Path) -> None:
    job("minilm_l6", "word_mask", tmp_path)


def test_one_without_is_named(tmp_path: Path, folder: Path) -> None:
    wanted = {"choice": ["none", {"kind": "word_mask", "magnitude": {"uniform": [0.1, 0.3]}}]}
    with pytest.raises(
        SpecError, match=r"strategy.augment: is word_mask, but the tokenizer of backbone `hf:.*` has no"
    ):
        job(f"hf:{folder}", wanted, tmp_path)
    job(f"hf:{folder}", "word_dropout", tmp_path)


def test_texts_are_not_changed_as_images_are(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is light, which changes images, but the data are texts"):
        job("minilm_l6", "light", tmp_path)
