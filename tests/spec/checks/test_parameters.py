"""`data.checks`: what it may be, and what checks make of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.fixtures.examined import examined_of

from graft.core.errors import SpecError
from graft.doctor.examiner import Doctor
from graft.modalities.image.checks.near_copies import near_groups
from graft.modalities.text.checks.findings import near_groups as near_texts
from graft.spec.load import parse_job


def data_of(checks: Any) -> Any:
    return parse_job({"name": "x", "data": {"kind": "digits", "checks": checks}}).data


def test_only_what_is_not_usual_is_kept() -> None:
    given = {"picture_copies": {"distance": 8}, "picture_outliers": {"deviations": 9}}
    assert data_of(given).checks == {"picture_outliers": {"deviations": 9.0}}
    assert data_of({}).checks == {}


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ({"picture_copy": {}}, r"checks.picture_copy: is no check that has parameters.*picture_copies"),
        ({"picture_blank": {}}, r"checks.picture_blank: is no check that has parameters"),
        ({"picture_copies": 4}, r"checks.picture_copies: must be a mapping"),
        ({"picture_copies": {"distance": 17}}, r"checks.picture_copies.distance: is `17`: .*less than or equal to 16"),
        ({"picture_copies": {"near": 1}}, r"checks.picture_copies.near: "),
        ({"text_copies": {"similarity": "much"}}, r"checks.text_copies.similarity: is `much`: "),
        ([], r"checks: is a list, but must be a mapping"),
    ],
)
def test_what_it_may_not_be(checks: Any, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        data_of(checks)


def test_pictures_are_near_within_the_distance() -> None:
    hashes, sides = np.array([0, 0b111111, 2**63 - 1], dtype=np.uint64), np.full(3, 90)
    signs = {"phash": hashes, "dhash": hashes, "width": sides, "height": sides, "contrast": sides}
    columns = {"pixels": np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)}
    seen = replace(examined_of("image", 3), signs=signs, columns=columns)
    assert near_groups(seen).tolist() == [0, 0, -1]
    assert near_groups(replace(seen, checks={"picture_copies": {"distance": 2}})).tolist() == [-1, -1, -1]


def test_texts_are_near_from_the_similarity() -> None:
    texts, one = ["the red fox runs over the hill", "the red fox runs over the hull"], examined_of("text", 2)
    column, signs = texts_of(texts)
    seen = replace(one, columns=column, signs=signs)
    assert near_texts(seen).tolist() == [0, 0]
    assert near_texts(replace(seen, checks={"text_copies": {"similarity": 1.0}})).tolist() == [-1, -1]


def texts_of(texts: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    from graft.data.columns import Ragged
    from graft.modalities.text.checks.signs import text_signs

    contents = [np.frombuffer(text.encode(), np.uint8) for text in texts]
    return {"text": Ragged.of(contents, "uint8")}, dict(text_signs(texts, texts))


def test_the_examiner_hands_them_on() -> None:
    sides = np.array([100.0] * 60 + [200.0])
    signs = {"width": sides, "height": sides, "brightness": np.full(61, 90.0)}
    seen = replace(examined_of("image", 61), signs=signs, columns={})
    given: list[dict[str, dict[str, Any]]] = [{"picture_outliers": {"deviations": 1.5}}, {}]
    kinds = [{one.kind for one in Doctor(checks=checks).examine(seen).findings} for checks in given]
    assert ["outlier" in found for found in kinds] == [True, False]
