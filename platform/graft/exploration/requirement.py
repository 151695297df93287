"""What is required of the model: ``accuracy >= 0.9``."""

import re
from dataclasses import dataclass

from graft.core.errors import SpecError

_FORM = re.compile(r"\s*(\w+)\s*>=?\s*([0-9.]+)\s*(%?)\s*")
HIGHEST = 0.999


@dataclass(frozen=True)
class Requirement:
    """An accuracy, and how sure one wants to be of it.

    Attributes:
        accuracy: the model is to have at least.
        confidence: 1 − α.
    """

    accuracy: float
    confidence: float = 0.95

    @property
    def alpha(self) -> float:
        """How often it may be said wrongly."""
        return 1.0 - self.confidence

    def __str__(self) -> str:
        return f"accuracy >= {self.accuracy:g} at {100 * self.confidence:g} %"


def read_requirement(text: str, confidence: float) -> Requirement:
    """A requirement as users write it.

    Raises:
        SpecError: it is none, or nothing that labels could show.
    """
    found = _FORM.fullmatch(text)
    if not found or found[2].count(".") > 1 or found[2] == ".":
        raise SpecError(f'--require is `{text}`, but must be of the form "accuracy >= 0.9"')
    name, value = found[1], float(found[2]) / (100 if found[3] else 1)
    if name != "accuracy":
        raise SpecError(f"--require is about `{name}`, but only accuracy can be certified; ask for accuracy")
    if value >= 1:
        raise SpecError(
            f"--require is accuracy >= {value:g}, but no number of labels shows that a model is never wrong; "
            f"ask for {HIGHEST:g} at most"
        )
    if not 0 < value <= HIGHEST:
        raise SpecError(f"--require is accuracy >= {value:g}, but must be above 0 and {HIGHEST:g} at most")
    if not 0.5 <= confidence <= 0.9999:
        raise SpecError(f"--confidence is {confidence:g}, but must be between 0.5 and 0.9999, such as 0.95")
    return Requirement(value, confidence)
