"""What `augment: {kind: custom}` is put together from."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from graft.spec.base import Share, Spec

OperationName = Literal[
    "flip",
    "rotate",
    "crop",
    "scale",
    "shift",
    "shear",
    "jitter",
    "grey",
    "blur",
    "sharpen",
    "posterize",
    "solarize",
    "equalize",
    "autocontrast",
    "invert",
    "erase",
]


class Operation(Spec):
    """One random change."""

    name: OperationName = Field("flip", description="What is done.")
    probability: Share = Field(0.5, description="Chance that it is done to a sample that is augmented.")
    magnitude: Share = Field(0.5, description="How far it may go; the strength is drawn for each sample up to this.")

    def __str__(self) -> str:
        return f"{self.name} {self.magnitude:g} at {self.probability:g}"


def _by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


NamedOperation = Annotated[Operation, BeforeValidator(_by_name)]
"""A bare name stands for the operation with its defaults."""
