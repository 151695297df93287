"""`training`: how long a model is trained, and how the winner is trained in the end."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from graft.spec.base import Spec
from graft.spec.messages.rules import broken


def _auto(value: Any) -> Any:
    return None if value == "auto" else value


def _workers(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1024):
        return value
    raise broken("must be a whole number between 1 and 1024, or auto, which is resources.workers")


MOST_MEMBERS = 16
USUAL_MEMBERS = 5
"""Members of an ensemble where a job says `auto`: an answer costs up to so many times as much."""
SELECTION_ROWS = 2000
"""Validation samples that an ensemble is selected on; of more they are drawn."""


def _ensemble(value: Any) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= MOST_MEMBERS
    if value in ("off", "auto") or is_number:
        return value
    raise broken(f"must be off, auto, or a whole number between 2 and {MOST_MEMBERS}: the most members")


class FitSpec(Spec):
    """How the winner is trained in the end."""

    workers: Annotated[
        int | Literal["auto"],
        BeforeValidator(_workers),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1024}, {"const": "auto"}]}),
    ] = Field("auto", description="Processes that train together; auto is resources.workers.")
    min_workers: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Go on with as few as this when a node leaves, and grow again; all are needed if left out.",
    )
    batch: Literal["fixed", "scaled"] = Field(
        "fixed", description="fixed: the strategy's batch is shared by all workers; scaled: each worker has one."
    )
    lr_rule: Literal["none", "linear", "sqrt"] = Field(
        "linear", description="How lr grows with a scaled batch (Goyal et al., 2017): as the batch, or its root."
    )
    accumulate: int = Field(1, ge=1, le=1024, description="Parts that a worker's batch is computed in, to save memory.")
    sync_batch_norm: bool = Field(False, description="Batch norm over the whole batch instead of each worker's part.")
    checkpoint_steps: int | None = Field(None, ge=1, description="Save the state every so many steps.")
    checkpoint_seconds: float = Field(30.0, gt=0, description="Save the state at least this often.")
    soup: Literal["none", "uniform", "greedy"] = Field(
        "none",
        description="Average the weights of the best trials of the winner's architecture (Wortsman et al., ICML 2022), "
        "and keep the average if it is better on the validation samples; needs final_on: train.",
    )
    ensemble: Annotated[
        int | Literal["off", "auto"],
        BeforeValidator(_ensemble),
        WithJsonSchema(
            {"anyOf": [{"enum": ["off", "auto"]}, {"type": "integer", "minimum": 2, "maximum": MOST_MEMBERS}]}
        ),
    ] = Field(
        "off",
        description="Average the answers of the winner and other trials, selected greedily on the validation samples "
        "(Caruana et al., ICML 2004), if that is expected to take enough off the winner's loss; an answer takes as "
        f"many times longer. off; auto: at most {USUAL_MEMBERS}; or the most members.",
    )

    @property
    def most_members(self) -> int:
        """Networks that the final model may have."""
        return {"off": 1, "auto": USUAL_MEMBERS}.get(str(self.ensemble)) or int(self.ensemble)


class TrainingSpec(Spec):
    """How long a model is trained, and how the winner is trained in the end."""

    epochs: Annotated[
        int | None,
        Field(ge=1, le=1000),
        BeforeValidator(_auto),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1000}, {"enum": ["auto", None]}]}),
    ] = Field(
        None,
        description="Most passes over the training samples, in a trial and in the fit. auto, or left out: as many as "
        "make enough steps for such samples, fewer where search.budget.minutes has no time for them: docs/defaults.md.",
    )
    shorten: bool | None = Field(
        None,
        description="Whether a training that cannot end in time plans fewer epochs, by the pace that it shows: its "
        "learning rate then runs over those. If left out: where epochs are left out, in a search of one phase that "
        "is no population.",
    )
    patience: int | None = Field(
        None, ge=1, description="Stop a trial after this many epochs without a better metric; never if left out."
    )
    final_on: Literal["train+validation", "train"] = Field(
        "train+validation", description="What the winner is trained on before it is tested."
    )
    compile: bool = Field(
        False,
        description="Compile networks (torch.compile) before they are trained, for quicker steps: takes about a "
        "minute for each architecture and cut, less the next time. For long trainings; needs a C++ compiler.",
    )
    fit: FitSpec = Field(FitSpec(), description="How the winner is trained in the end.")
