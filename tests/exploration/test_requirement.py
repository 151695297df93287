"""What can be required."""

import pytest

from graft.core.errors import SpecError
from graft.exploration.requirement import read_requirement


@pytest.mark.parametrize("text", ["accuracy >= 0.9", "accuracy>=.9", " accuracy > 90 %"])
def test_an_accuracy(text: str) -> None:
    assert read_requirement(text, 0.95).accuracy == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accuracy >= 1.0", "never wrong; ask for 0.999"),
        ("accuracy >= 90", "never wrong"),
        ("accuracy >= 0", "must be above 0"),
        ("f1 >= 0.9", "only accuracy can be certified"),
        ("0.9", "must be of the form"),
        ("accuracy >= 0.9.1", "must be of the form"),
    ],
)
def test_nothing_that_labels_could_show(text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read_requirement(text, 0.95)


def test_a_confidence_that_is_none() -> None:
    with pytest.raises(SpecError, match="--confidence is 1"):
        read_requirement("accuracy >= 0.9", 1.0)
