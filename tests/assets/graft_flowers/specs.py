"""What a job may say of this package's components. Light: their implementations are imported when they are built."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from graft.spec.augmentation.mixing import Mix
from graft.spec.base import Spec
from graft.spec.checks.base import CheckSpec, FindingKind
from graft.spec.components.augmentation import Augmentation
from graft.spec.components.head import HeadSpec
from graft.spec.components.head_start import HeadStart
from graft.spec.components.initialisation import Initialisation
from graft.spec.components.optimizer import OptimizerSpec
from graft.spec.components.penalty import PenaltySpec
from graft.spec.components.schedule import ScheduleSpec
from graft.spec.components.selection import SelectionSpec
from graft.spec.components.skip import Depth, SkipSpec
from graft.spec.components.tuning import TuningSpec
from graft.spec.components.unfreezing import UnfreezingSpec
from graft.spec.exporters import ExporterSpec
from graft.spec.meta.adapters import AdapterSpec
from graft.spec.meta.proposers import ProposerSpec
from graft.spec.meta.starts import StartSpec
from graft.spec.metrics import MetricSpec
from graft.spec.modalities.base import DataSpec, ModalitySpec, Preprocessing
from graft.spec.search.schedulers import SchedulerSpec
from graft.spec.search.searchers import SearcherSpec
from graft.spec.tasks.base import LossSpec, TaskSpec


class Scaling(Preprocessing):
    """Measurements are divided by a number."""

    kind: Literal["measurements"] = "measurements"
    divisor: float = Field(gt=0)

    @property
    def size(self) -> int:
        return 4


class Keys(Spec):
    """What measurements add to a strategy."""

    divisor: float | None = Field(None, gt=0, description="Measurements: what they are divided by; 10 if left out.")


class Measurements(ModalitySpec):
    """A row of numbers."""

    kind: Literal["measurements"] = "measurements"
    built_by: ClassVar[str] = "graft_flowers.modality:MeasurementModality"
    default_backbone: ClassVar[str] = "flower_net"
    fields: ClassVar[type[Spec]] = Keys
    preprocessing: ClassVar[type[Preprocessing]] = Scaling
    takes: ClassVar[str] = "measurements"


class Flowers(DataSpec):
    """Fisher's irises."""

    kind: Literal["flowers"] = "flowers"
    built_by: ClassVar[str] = "graft_flowers.modality:list_flowers"
    task_hint: ClassVar[tuple[str, str] | None] = ("sorting", "flowers are sorted")

    @property
    def modality(self) -> str:
        return "measurements"


class Sorting(TaskSpec):
    """Classification under another name."""

    kind: Literal["sorting"] = "sorting"
    built_by: ClassVar[str] = "graft_flowers.task:SortingTask"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (MetricSpec("sorted_well", "max"), MetricSpec("loss", "min"))
    default_metric: ClassVar[str] = "sorted_well"
    default_loss: ClassVar[str] = "squared_probability"


class LastRedrawn(Initialisation):
    """The last block starts at random."""

    kind: Literal["last_redrawn"] = "last_redrawn"

    def redrawn(self, num_blocks: int) -> int:
        return min(1, num_blocks)


class Root(PenaltySpec):
    """strength · Σ√(|w| + ε)."""

    kind: Literal["root"] = "root"
    built_by: ClassVar[str] = "graft_flowers.training:RootPenalty"
    strength: float = Field(1e-4, gt=0)


class ScaledHead(HeadSpec):
    """A linear head whose outputs are multiplied."""

    kind: Literal["scaled"] = "scaled"
    built_by: ClassVar[str] = "graft_flowers.network:scaled_head"
    factor: float = Field(1.0, gt=0)


class SquaredProbability(LossSpec):
    """Brier score."""

    kind: Literal["squared_probability"] = "squared_probability"
    built_by: ClassVar[str] = "graft_flowers.training:squared_probability"
    tasks: ClassVar[tuple[str, ...]] = ("sorting", "classification")


class RmsProp(OptimizerSpec):
    """torch's RMSprop."""

    kind: Literal["rmsprop"] = "rmsprop"
    built_by: ClassVar[str] = "graft_flowers.training:rmsprop"


class Halves(ScheduleSpec):
    """Half the rate in the second half."""

    kind: Literal["halves"] = "halves"
    built_by: ClassVar[str] = "graft_flowers.training:halves"


class Petals(TuningSpec):
    """All but the stem."""

    kind: Literal["petals"] = "petals"
    built_by: ClassVar[str] = "graft_flowers.training:petals"


class Spring(UnfreezingSpec):
    """Everything but the head sleeps for a share of the training."""

    kind: Literal["spring"] = "spring"
    built_by: ClassVar[str] = "graft_flowers.training:spring"
    winter: float = Field(0.25, ge=0, lt=1)


class Weeds(SkipSpec):
    """Every other residual block."""

    kind: Literal["weeds"] = "weeds"

    def left_out(self, residual: Sequence[int], depth: Depth) -> tuple[int, ...]:
        return tuple(residual[1::2])


class Rooted(HeadStart):
    """The head of a flower starts at one number."""

    kind: Literal["rooted"] = "rooted"
    started_by: ClassVar[str] = "graft_flowers.training:rooted"
    depth: float = Field(0.0, ge=0)


class FirstOnes(SelectionSpec):
    """The first features."""

    kind: Literal["first_ones"] = "first_ones"
    built_by: ClassVar[str] = "graft_flowers.training:first_ones"
    count: int = Field(3, ge=1)


class Jitter(Augmentation):
    """Noise on every number."""

    kind: Literal["jitter"] = "jitter"
    built_by: ClassVar[str] = "graft_flowers.modality:Jitterer"
    modality: ClassVar[str | None] = "measurements"
    width: float = Field(0.05, gt=0)


class Bouquet(Mix):
    """The mean of two flowers."""

    kind: Literal["bouquet"] = "bouquet"
    built_by: ClassVar[str] = "graft_flowers.modality:Means"
    modality: ClassVar[str | None] = "measurements"


class EvenOnly(SchedulerSpec):
    """Stops every second trial after its first epoch."""

    kind: Literal["even_only"] = "even_only"
    built_by: ClassVar[str] = "graft_flowers.search:EvenOnlyScheduler"

    def expected_epochs(self, phase: Any, start: int) -> float:
        return (1 + phase.epochs - start) / 2


class FirstDraws(SearcherSpec):
    """Random search under another name."""

    kind: Literal["first_draws"] = "first_draws"
    built_by: ClassVar[str] = "graft_flowers.search:FirstDrawsSearch"


class ListingExporter(ExporterSpec):
    """A list of the bundle's files."""

    kind: Literal["listing"] = "listing"
    built_by: ClassVar[str] = "graft_flowers.search:FileListing"


class Withered(CheckSpec):
    """Flowers without petals."""

    kind: Literal["withered"] = "withered"
    built_by: ClassVar[str] = "graft_flowers.modality:withered"
    modality: ClassVar[str | None] = "measurements"
    finds: ClassVar[tuple[FindingKind, ...]] = (FindingKind("withered", "A flower without petals."),)


class Bud(StartSpec):
    """Features with a factor each, learned over tasks."""

    kind: Literal["bud"] = "bud"
    built_by: ClassVar[str] = "graft_flowers.episodes:Bud"


class NearestFlower(AdapterSpec):
    """The class of the nearest sample."""

    kind: Literal["nearest_flower"] = "nearest_flower"
    built_by: ClassVar[str] = "graft_flowers.episodes:nearest_flower"
    is_solved: ClassVar[bool] = True


class FirstFlower(ProposerSpec):
    """The first flowers."""

    kind: Literal["first_flower"] = "first_flower"
    built_by: ClassVar[str] = "graft_flowers.episodes:First"
