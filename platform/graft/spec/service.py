"""What a service that answers with a model is told: the arguments of its Ray Serve application, wherever they stand."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from graft.core.errors import SpecError
from graft.spec.base import Spec
from graft.spec.messages.problems import Origin, findings_of
from graft.spec.messages.rules import Finding, dotted, rejected
from graft.spec.overrides import read_overrides

IMPORT_PATH = "graft.pipeline.serving.application:app"
"""Of the application, as Ray Serve's configuration names it; this module knows its `args`."""


class ServiceSpec(Spec):
    """A model that answers requests, on as many processes as there is work for."""

    model: str = Field(min_length=1, description="A registered model (models:/NAME/3), an experiment, or a bundle.")
    home: str | None = Field(None, min_length=1, description="Home that knows it; GRAFT_HOME of the nodes if left out.")
    batch_size: int = Field(
        32, ge=1, le=4096, description="Most samples of several requests that are answered at once."
    )
    batch_wait_ms: float = Field(5.0, ge=0, le=10_000, description="How long a request waits for others to join it.")
    min_replicas: int = Field(1, ge=0, le=1000, description="Processes that there always are, with a model each.")
    max_replicas: int = Field(4, ge=1, le=1000, description="Processes that there may be.")
    cpus: float = Field(1.0, ge=0, le=4096, description="CPU cores of a process.")
    gpus: float = Field(0.0, ge=0, le=64, description="GPUs of a process, or the share of one.")
    waiting: int = Field(256, ge=1, le=100_000, description="Most requests that wait; what comes then is answered 503.")
    timeout_s: int = Field(60, ge=1, le=86_400, description="What takes longer is answered 504.")
    body_mb: int = Field(32, ge=1, le=1024, description="Largest request, in MB; a larger one is answered 413.")

    @model_validator(mode="after")
    def _replicas_are_a_range(self) -> Self:
        if self.max_replicas < self.min_replicas:
            told = f"is {self.max_replicas}, but must be >= min_replicas, which is {self.min_replicas}"
            raise rejected("service", [Finding(("max_replicas",), told)])
        return self


def parse_service(raw: Mapping[str, Any], overrides: Sequence[str] = ()) -> ServiceSpec:
    """Validate the arguments of a service.

    Args:
        raw: what its application is given.
        overrides: ``batch_size=64`` texts, as `--set` takes them; the last one of a key wins.

    Raises:
        SpecError: something is wrong; all problems at once.
    """
    given, problems = read_overrides(overrides)
    values = {**raw, **{dotted(one.path): one.value for one in given}}
    origin = Origin(overrides=tuple((dotted(one.path),) for one in given))
    try:
        service = ServiceSpec.model_validate(values)
    except ValidationError as error:
        raise SpecError([*problems, *(origin.problem(one) for one in findings_of(error, ServiceSpec))]) from None
    if problems:
        raise SpecError(problems)
    return service
