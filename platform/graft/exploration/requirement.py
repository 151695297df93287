"""What is required of the model: ``accuracy >= 0.9``."""

import re
from dataclasses import dataclass

from graft.core.errors import SpecError

_NUMBER = r"(\d+\.?\d*|\.\d+)\s*(%?)"
_FORM = re.compile(rf"\s*(\w+)\s*>=?\s*{_NUMBER}(?:\s*at\s+{_NUMBER})?\s*")
HIGHEST, USUAL = 0.999, 0.95


@dataclass(frozen=True)
class Requirement:
    """An accuracy, and how sure one wants to be of it.

    Attributes:
        accuracy: the model is to have at least.
        confidence: 1 − α.
    """

    accuracy: float
    confidence: float = USUAL

    @property
    def alpha(self) -> float:
        """How often it may be said wrongly."""
        return 1.0 - self.confidence

    def __str__(self) -> str:
        return f"accuracy >= {self.accuracy:g} at {100 * self.confidence:g} %"


def read_requirement(text: str, confidence: float | None = None) -> Requirement:
    """A requirement as users write it, or as `Requirement` is told: ``accuracy >= 0.9 at 95 %``.

    Args:
        text: what is required, perhaps with a confidence.
        confidence: that is given beside it; the usual one if neither says it.

    Raises:
        SpecError: it is none, or nothing that labels could show.
    """
    found = _FORM.fullmatch(text)
    if not found:
        raise SpecError(
            f'--require is `{text}`, but must be of the form "accuracy >= 0.9" or "accuracy >= 0.9 at 95 %"'
        )
    name, value = found[1], _share(found[2], found[3])
    if name != "accuracy":
        raise SpecError(f"--require is about `{name}`, but only accuracy can be certified; ask for accuracy")
    if value >= 1:
        raise SpecError(
            f"--require is accuracy >= {value:g}, but no number of labels shows that a model is never wrong; "
            f"ask for {HIGHEST:g} at most"
        )
    if not 0 < value <= HIGHEST:
        raise SpecError(f"--require is accuracy >= {value:g}, but must be above 0 and {HIGHEST:g} at most")
    told = _share(found[4], found[5]) if found[4] else None
    if told is not None and confidence not in (None, told):
        raise SpecError(f"--require is at {told:g}, but --confidence is {confidence:g}; give one of them")
    sure = next((one for one in (told, confidence) if one is not None), USUAL)
    if not 0.5 <= sure <= 0.9999:
        raise SpecError(f"--confidence is {sure:g}, but must be between 0.5 and 0.9999, such as 0.95")
    return Requirement(value, sure)


def _share(number: str, per_cent: str) -> float:
    return float(number) / (100 if per_cent else 1)
