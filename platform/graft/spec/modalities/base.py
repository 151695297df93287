"""What the spec of every modality, of every kind of data and of every preprocessing says."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from graft.spec.base import Component, Share, Spec
from graft.spec.checks.clean import Clean, finding_kinds
from graft.spec.checks.parameters import Checks
from graft.spec.defaults.closed_form import Beside, Size
from graft.spec.defaults.recommended import Recommended
from graft.spec.defaults.scale import Length, Scale
from graft.spec.messages.rules import Finding, rejected

SplitRule = Literal["label", "group", "time", "hash"]
"""What decides which of the samples that the source leaves open are for validation and test."""


class Preprocessing(Component):
    """From a stored sample to what a backbone takes; `kind` is that of the modality.

    Attributes:
        of_source: fields that say how the samples of one source are read; a backbone may be given the same by others.
    """

    of_source: ClassVar[frozenset[str]] = frozenset()

    @property
    def size(self) -> int:
        """How large an input is, as the modality counts it."""
        raise TypeError(f"preprocessing {self.kind} does not say its size; it must have a property `size`")


class ModalitySpec(Component):
    """What a sample is; built from (spec).

    Attributes:
        default_backbone: the one that is adapted if the strategy names none.
        fields: what it adds to every strategy: a spec whose fields all have a default.
        usual: what such a field means if it is left out; naming that value makes no other strategy.
        preprocessing: the class of what a bundle says of its samples.
        takes: what its samples are called, for messages ("images").
        default_space: keys of `strategy`, as a job file has them, that are searched where a job says nothing of it, as
            long as nobody has counted the samples.
        length: how long trainings are where a job does not say it.
        reference: keys of the strategy whose frozen backbone all tasks are compared with (`graft memory`).
        features_by: ``module:function`` that takes what is examined and rows, int64 [n], and gives features [n, D],
            dense or sparse, that labels are judged by; None where there is nothing to go by. Empty if nobody knows.
    """

    default_backbone: ClassVar[str] = ""
    fields: ClassVar[type[Spec]] = Spec
    usual: ClassVar[Mapping[str, Any]] = {}
    preprocessing: ClassVar[type[Preprocessing]] = Preprocessing
    takes: ClassVar[str] = ""
    features_by: ClassVar[str] = ""
    length: ClassVar[Length] = Length()
    reference: ClassVar[Mapping[str, Any]] = {}
    default_space: ClassVar[Mapping[str, Any]] = {
        "freeze": {"choice": [1.0, 0.5, 0.0]},
        "lr": {"loguniform": [5e-4, 6e-3]},
    }

    @classmethod
    def recommended(cls, data: "DataSpec", scale: Scale) -> Recommended:
        """What is searched, and tried first, for so many samples and so much time; `default_space` if it knows no
        better."""
        return Recommended({**cls.default_space, **data.default_space})

    @classmethod
    def feature_sizes(cls, data: "DataSpec") -> tuple[Size, ...]:
        """Sizes of the samples at which heads are solved before anything is trained; none if it knows no good ones."""
        return ()

    @classmethod
    def solved_besides(cls, data: "DataSpec") -> tuple[Beside, ...]:
        """Heads that are solved as well, on features that are unlike those of the default backbone."""
        return ()

    @classmethod
    def training_seconds(cls, space: Any) -> float:
        """Seconds that one core takes to train all of the default backbone on one sample; 0 if nobody knows.

        Args:
            space: `graft.spec.space.space.StrategySpace`; of several sizes, the largest counts.
        """
        return 0.0

    @classmethod
    def notes_on_sizes(cls, space: Any, natives: Mapping[str, int]) -> tuple[str, ...]:
        """Which sizes of a space backbones cannot take as they are asked for, though they can be trained with others.

        Args:
            space: `graft.spec.space.space.StrategySpace`.
            natives: the native size of each of its backbones that takes such samples, as far as it is known.
        """
        return ()


class DataSpec(Component):
    """What every section `data` says, whatever its kind; built from (spec, progress): the listing of its samples.

    Attributes:
        task_hint: the task that the kind of source itself suggests, and why; None if the labels must be looked at.
        drafted_by: what tells for `graft init` whether a path is of the kind, as ``module:function``: it is called with
            the path and a `graft.data.draft.Wish`, and returns a `Draft`, or None.
        default_space: what the kind of source knows better than its modality (`ModalitySpec.default_space`).
        overview_by: ``module:function`` that takes (spec, progress) and returns names and counts
            (`graft.data.overview.Overview`) without anything heavy; empty where the samples must be listed for that.
    """

    task_hint: ClassVar[tuple[str, str] | None] = None
    drafted_by: ClassVar[str] = ""
    default_space: ClassVar[Mapping[str, Any]] = {}
    overview_by: ClassVar[str] = ""

    validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Share of the samples held out to compare strategies."
    )
    test: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2,
        description="Share of the samples held out for the test score, where the source brings no test set of its own; "
        "0 is only possible with one of its own.",
    )
    limit: int | None = Field(
        None,
        ge=2,
        description="How many training and validation samples to keep, each class in proportion; all if left out. "
        "Test samples are never dropped.",
    )
    seed: int = Field(0, ge=0, description="Seed of the split and of the limit.")
    split_by: SplitRule | None = Field(
        None,
        description="What decides about the splits that are drawn. label: each class (label, range of values) in "
        "proportion. group: whole groups, so that none lies on both sides of a border. time: the newest samples are "
        "the test, those before them validation. hash: a digest of each sample, so that appended ones move no other. "
        "If left out: group where `group` is named, time where `time` is, else label.",
    )
    max_unreadable: Share = Field(
        0.1, description="Unreadable samples are left out and named; more than this share of all fails the job."
    )
    clean: Clean = Field(
        {},
        description="What is done about the samples of a kind of finding (`graft doctor`): drop, fix, keep or fail; "
        "for a kind that is left out what docs/doctor.md says.",
    )

    checks: Checks = Field(
        {},
        description="Parameters of checks (`graft doctor`), by the name of the check: how near, how far and how alike "
        "they look for; docs/doctor.md has them.",
    )
    store: Literal["auto", "disk", "stream"] = Field(
        "auto",
        description="Whether decoded samples are stored (`disk`), or decoded anew in every epoch (`stream`); `auto` "
        "streams what does not fit.",
    )
    disk_gb: float | None = Field(
        None, gt=0, description="Most that decoded samples may take on the disk; half of what is free if left out."
    )

    @property
    def modality(self) -> str:
        """Kind of the modality of its samples."""
        raise TypeError(f"data kind {self.kind} does not say its modality; it must have a property `modality`")

    @property
    def splits_by_label(self) -> bool:
        """Whether counts of labels say all about the splits, so that no sample must be listed for them."""
        return self.split_by in (None, "label")

    def decoding(self) -> dict[str, Any]:
        """The settings, as plain JSON, that decide what becomes of a sample; they enter the dataset's key."""
        return {}

    @model_validator(mode="after")
    def _cleans_what_its_samples_can_have(self) -> Self:
        known = finding_kinds(self.modality) if self.clean else {}
        told = f"is nothing that {self.modality}s can have; remove it" if self.clean else ""
        findings = [Finding(("clean", name), told) for name in self.clean if name not in known]
        if findings:
            raise rejected("data", findings)
        return self

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        held_out = self.validation + self.test
        if held_out >= 1:
            told = f"and `validation` hold out {held_out:g} of the samples, but must leave some to train on; lower one"
            raise rejected("data", [Finding(("test",), told)])
        return self
