"""`tracking`, `keep`, `memory` and `export`: where runs are recorded, what stays, what becomes of the winner."""

import warnings
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from graft.core.uris import sqlite_path
from graft.spec.base import Spec
from graft.spec.exporters import ExporterSpec
from graft.spec.messages.rules import Finding, broken, rejected
from graft.spec.registry import union
from graft.spec.tracking.names import (
    DEFAULT_EXPERIMENT,
    experiment_name_problem,
    model_name_problem,
    store_address_problem,
)

if TYPE_CHECKING:
    Exporter: TypeAlias = ExporterSpec
else:
    Exporter = union("exporter")

_NOT_DEFAULT = (
    f"is `{DEFAULT_EXPERIMENT}`, which MLflow itself makes with a directory for files wherever it is started; "
    "choose another name, or leave it out"
)


def _model_name(name: str) -> str:
    if problem := model_name_problem(name):
        raise broken(problem)
    return name


def _experiment_name(name: str) -> str:
    if problem := experiment_name_problem(name):
        raise broken(problem)
    return name


def _uri(uri: str) -> str:
    if problem := store_address_problem(uri):
        raise broken(problem)
    return uri


class TrackingSpec(Spec):
    """Where runs are recorded."""

    uri: Annotated[str, AfterValidator(_uri)] | None = Field(
        None, description="Address of the MLflow store; one inside the home directory if left out."
    )
    experiment: Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_experiment_name)] | None = Field(
        None, description="Name of the MLflow experiment; the job's name if left out."
    )

    @model_validator(mode="after")
    def _has_a_place_for_files(self) -> Self:
        is_served = self.uri is not None and sqlite_path(self.uri) is None
        if self.experiment == DEFAULT_EXPERIMENT and not is_served:
            raise rejected("tracking", [Finding(("experiment",), _NOT_DEFAULT)])
        return self


class MemorySpec(Spec):
    """What later searches learn from this one."""

    keep: bool = Field(
        True, description="Whether what trials give goes to the task memory (`graft memory`); no sample ever does."
    )
    label_names: bool = Field(False, description="Whether the names of classes or labels go there too.")


class KeepSpec(Spec):
    """Which weights stay on the disk; records of trials always do."""

    checkpoints: Annotated[int, Field(ge=1)] = Field(
        2,
        description="Newest states kept of each trial that runs: to go on from, and to fall back on if one is damaged.",
    )
    losers: Annotated[int, Field(ge=0)] | Literal["all"] = Field(
        1, description="Trials beside the best one whose best weights are kept; `all` keeps everybody's."
    )


with warnings.catch_warnings():
    # Every class has `ABCMeta.register`, so pydantic thinks that the field hides something of use on an instance.
    warnings.filterwarnings("ignore", message='Field name "register"', category=UserWarning)

    class ExportSpec(Spec):
        """What becomes of the winner."""

        register: bool = Field(True, description="Register the winner in MLflow, with the alias `champion`.")
        model_name: Annotated[str, AfterValidator(_model_name)] | None = Field(
            None, max_length=250, description="Name of the registered model; the job's name if left out."
        )
        tta: int = Field(
            1,
            ge=1,
            le=32,
            description="Test-time augmentation: the test score is also told for the mean of predictions over so many "
            "views of each sample, and what they cost; 1 is the sample alone. `graft predict --tta` asks for it.",
        )
        formats: list[Exporter] = Field(
            [], max_length=16, description="Forms, beside the bundle, in which the model is written below `exports/`."
        )
