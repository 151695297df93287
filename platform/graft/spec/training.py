"""`training`: how long a model is trained, and on what in the end."""

from typing import Literal

from pydantic import Field

from graft.spec.base import Spec


class TrainingSpec(Spec):
    """How long a model is trained, and on what in the end."""

    epochs: int = Field(
        8, ge=1, le=1000, description="Most passes over the training samples, in a trial and in the fit."
    )
    patience: int | None = Field(
        None, ge=1, description="Stop a trial after this many epochs without a better metric; never if left out."
    )
    final_on: Literal["train+validation", "train"] = Field(
        "train+validation", description="What the winner is trained on before it is tested."
    )
