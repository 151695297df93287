"""`task: regression`: each sample has one or several numbers; and the losses for it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.metrics import MetricSpec
from graft.spec.tasks.base import LossSpec, TaskSpec


class Regression(TaskSpec):
    """Each sample has a number, or one for each of several targets."""

    kind: Literal["regression"] = "regression"
    built_by: ClassVar[str] = "graft.tasks.regression.task:RegressionTask"
    link: ClassVar[str] = "identity"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        MetricSpec("mae", "min", lowest=0, is_in_units=True),
        MetricSpec("rmse", "min", lowest=0, is_in_units=True),
        MetricSpec("r2", "max", highest=1),
        MetricSpec("spearman", "max", lowest=-1, highest=1),
        MetricSpec("loss", "min", lowest=0),
    )
    default_metric: ClassVar[str] = "mae"
    default_loss: ClassVar[str] = "huber"

    coverage: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.9, description="Share of the values that the interval of a prediction is to hold."
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="The mark before the fraction of a number in a text; what the whole column tells if left out."
    )


class SquaredError(LossSpec):
    """Mean squared error of the standardised targets."""

    kind: Literal["squared_error"] = "squared_error"
    built_by: ClassVar[str] = "graft.tasks.regression.losses:squared_error"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    takes_mixed: ClassVar[bool] = True


class Huber(LossSpec):
    """Huber's loss of the standardised targets (Huber, 1964): squared near zero, linear beyond δ."""

    kind: Literal["huber"] = "huber"
    built_by: ClassVar[str] = "graft.tasks.regression.losses:huber"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    takes_mixed: ClassVar[bool] = True
    delta: float = Field(1.0, gt=0, le=100, description="δ, in standard deviations of the target.")


class Quantile(LossSpec):
    """Pinball loss (Koenker and Bassett, 1978) at one quantile; at 0.5 it is half the absolute error."""

    kind: Literal["quantile"] = "quantile"
    built_by: ClassVar[str] = "graft.tasks.regression.losses:quantile"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    takes_mixed: ClassVar[bool] = True
    quantile: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="τ: which quantile is predicted.")
