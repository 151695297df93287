"""Job: the validated job file, from the data to the registered model."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from graft.spec.base import Spec
from graft.spec.data import DataSpec
from graft.spec.outputs import ExportSpec, TrackingSpec
from graft.spec.resources import ResourcesSpec
from graft.spec.rules import Finding, broken, rejected
from graft.spec.search import Asha, SearchSpec
from graft.spec.space import StrategySpace
from graft.spec.training import TrainingSpec

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _slug(name: str) -> str:
    if not _SLUG.fullmatch(name):
        raise broken("must be 1 to 64 of a-z, 0-9, `_` and `-`, and start with a letter or digit")
    return name


class Job(Spec):
    """All that graft needs to know to turn data into a model."""

    version: Literal[1] = Field(1, description="Version of the format of this file.")
    name: Annotated[str, AfterValidator(_slug), Field(json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})] = Field(
        description="Name of the job; its experiments, and by default its model, are called by it."
    )
    data: DataSpec = Field(description="Where the samples are, and how they are split.")
    strategy: StrategySpace = Field(
        StrategySpace(), description="How a backbone may be adapted: each key a value, or a distribution to search."
    )
    training: TrainingSpec = Field(TrainingSpec(), description="How long a model is trained, and on what in the end.")
    search: SearchSpec = Field(SearchSpec(), description="Which strategies are tried, and when to end.")
    resources: ResourcesSpec = Field(ResourcesSpec(), description="What a trial may use.")
    tracking: TrackingSpec = Field(TrackingSpec(), description="Where runs are recorded.")
    export: ExportSpec = Field(ExportSpec(), description="What becomes of the winner.")

    @property
    def experiment_name(self) -> str:
        """Name of the MLflow experiment."""
        return self.tracking.experiment or self.name

    @property
    def model_name(self) -> str:
        """Name of the registered model."""
        return self.export.model_name or self.name

    @model_validator(mode="after")
    def _first_rung_is_within_the_training(self) -> Self:
        scheduler, epochs = self.search.scheduler, self.training.epochs
        if isinstance(scheduler, Asha) and scheduler.grace_epochs > epochs:
            told = f"is {scheduler.grace_epochs}, but must be <= training.epochs, which is {epochs}"
            raise rejected("job", [Finding(("search", "scheduler", "grace_epochs"), told)])
        return self
