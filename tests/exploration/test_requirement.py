"""What can be required."""

import pytest

from graft.core.errors import SpecError
from graft.exploration.requirement import read_requirement


@pytest.mark.parametrize("text", ["accuracy >= 0.9", "accuracy>=.9", " accuracy > 90 %"])
def test_an_accuracy(text: str) -> None:
    assert read_requirement(text).accuracy == pytest.approx(0.9)


@pytest.mark.parametrize("text", ["accuracy >= 0.9 at 99 %", "accuracy >= 90 % at 0.99", "accuracy>=.9 at 99%"])
@pytest.mark.parametrize("confidence", [None, 0.99])
def test_an_accuracy_with_its_confidence(text: str, confidence: float | None) -> None:
    assert str(read_requirement(text, confidence)) == "accuracy >= 0.9 at 99 %"


def test_what_is_told_can_be_given_again() -> None:
    once = read_requirement("accuracy >= 0.9")
    assert read_requirement(str(once)) == once


def test_two_confidences_contradict() -> None:
    with pytest.raises(SpecError, match=r"is at 0\.99, but --confidence is 0\.95; give one of them"):
        read_requirement("accuracy >= 0.9 at 99 %", 0.95)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accuracy >= 1.0", "never wrong; ask for 0.999"),
        ("accuracy >= 90", "never wrong"),
        ("accuracy >= 0", "must be above 0"),
        ("f1 >= 0.9", "only accuracy can be certified"),
        ("0.9", "must be of the form"),
        ("accuracy >= 0.9.1", "must be of the form"),
        ("accuracy >= .", "must be of the form"),
        ("accuracy >= 0.9 at", "must be of the form"),
        ("accuracy >= 0.9 at 100 %", "--confidence is 1"),
        ("accuracy >= 0.9 at 0", "--confidence is 0"),
    ],
)
def test_nothing_that_labels_could_show(text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read_requirement(text)


@pytest.mark.parametrize("confidence", [1.0, 0.0])
def test_a_confidence_that_is_none(confidence: float) -> None:
    with pytest.raises(SpecError, match=f"--confidence is {confidence:g}"):
        read_requirement("accuracy >= 0.9", confidence)
