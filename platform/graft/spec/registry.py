"""The spec classes that a job may name, by group: ours and those of other packages, in one list.

Validation, JSON Schema, search space and constructor all read it. A class names its implementation
(`Component.built_by`), which is imported only when it is built, so a job can be validated without torch. A third party
adds a class by an entry point in the group ``graft.<group>``, named after its kind:

    [project.entry-points."graft.penalty"]
    l0 = "my_package.l0:L0Spec"
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Annotated, Any, Union, get_args

from pydantic import Field

from graft.core.errors import GraftError, Problem, SpecError
from graft.spec.base import ByName, Component, kind_of

OURS: Mapping[str, tuple[str, ...]] = {
    "initialisation": (
        "graft.spec.components.initialisation:Pretrained",
        "graft.spec.components.initialisation:Reinitialise",
        "graft.spec.components.initialisation:Mapped",
        "graft.spec.components.initialisation:MetaLearned",
    ),
    "tuning": (
        "graft.spec.components.tuning:AllWeights",
        "graft.spec.components.tuning:SurgicalTuning",
        "graft.spec.components.tuning:NormTuning",
        "graft.spec.components.tuning:BiasTuning",
        "graft.spec.components.tuning:LowRank",
        "graft.spec.components.tuning:Rescaling",
    ),
    "unfreezing": (
        "graft.spec.components.unfreezing:AtOnce",
        "graft.spec.components.unfreezing:Gradual",
        "graft.spec.components.unfreezing:HeadFirst",
    ),
    "penalty": (
        "graft.spec.components.penalty:NoPenalty",
        "graft.spec.components.penalty:L1",
        "graft.spec.components.penalty:L2",
        "graft.spec.components.penalty:L2SP",
        "graft.spec.components.penalty:L1SP",
        "graft.spec.components.activation_penalty:Delta",
        "graft.spec.components.activation_penalty:BatchSpectralShrinkage",
        "graft.spec.components.activation_penalty:SupervisedContrast",
        "graft.spec.tasks.classification:CoTuning",
    ),
    "skip": (
        "graft.spec.components.skip:NoSkip",
        "graft.spec.components.skip:SpreadSkip",
        "graft.spec.components.skip:DrawnSkip",
        "graft.spec.components.skip:SkipAt",
    ),
    "head": (
        "graft.spec.components.head:LinearHead",
        "graft.spec.components.head:MlpHead",
        "graft.spec.components.head:LogisticHead",
        "graft.spec.components.head:RidgeHead",
        "graft.spec.components.head:PrototypeHead",
    ),
    "head_start": (
        "graft.spec.components.head_start:RandomStart",
        "graft.spec.components.head_start:ClosedFormStart",
    ),
    "loss": (
        "graft.spec.tasks.classification:CrossEntropy",
        "graft.spec.tasks.classification:Focal",
        "graft.spec.tasks.classification:ClassBalanced",
        "graft.spec.tasks.multilabel:BinaryCrossEntropy",
        "graft.spec.tasks.multilabel:AsymmetricLoss",
        "graft.spec.tasks.regression:SquaredError",
        "graft.spec.tasks.regression:Huber",
        "graft.spec.tasks.regression:Quantile",
    ),
    "optimizer": ("graft.spec.components.optimizer:AdamW", "graft.spec.components.optimizer:Sgd"),
    "schedule": (
        "graft.spec.components.schedule:Constant",
        "graft.spec.components.schedule:Cosine",
        "graft.spec.components.schedule:OneCycle",
    ),
    "selection": (
        "graft.spec.components.selection:NoSelection",
        "graft.spec.components.selection:VarianceSelection",
        "graft.spec.components.selection:MutualInformation",
        "graft.spec.components.selection:L1Selection",
    ),
    "augmentation": (
        "graft.spec.components.augmentation:NoAugmentation",
        "graft.spec.modalities.image:LightAugmentation",
        "graft.spec.modalities.text:WordDropout",
        "graft.spec.modalities.text:WordSwap",
        "graft.spec.modalities.text:WordMask",
        "graft.spec.augmentation.policies:TrivialAugment",
        "graft.spec.augmentation.policies:RandAugment",
        "graft.spec.augmentation.policies:AutoAugment",
        "graft.spec.augmentation.policies:AugMix",
        "graft.spec.augmentation.policies:CustomAugmentation",
    ),
    "mix": (
        "graft.spec.augmentation.mixing:NoMix",
        "graft.spec.augmentation.mixing:MixUp",
        "graft.spec.augmentation.mixing:CutMix",
    ),
    "scheduler": (
        "graft.spec.search.schedulers:NoScheduler",
        "graft.spec.search.schedulers:Asha",
        "graft.spec.search.schedulers:HyperBand",
        "graft.spec.search.schedulers:Median",
        "graft.spec.search.schedulers:OneEpochTopK",
        "graft.spec.search.schedulers:Pbt",
        "graft.spec.search.schedulers:Pb2",
    ),
    "searcher": (
        "graft.spec.search.searchers:RandomSearcher",
        "graft.spec.search.searchers:MetaSearcher",
        "graft.spec.search.searchers:GridSearcher",
        "graft.spec.search.searchers:SobolSearcher",
        "graft.spec.search.searchers:TpeSearcher",
        "graft.spec.search.searchers:CmaEsSearcher",
        "graft.spec.search.searchers:BohbSearcher",
    ),
    "data_kind": (
        "graft.spec.modalities.image:DigitsData",
        "graft.spec.modalities.image:IdxData",
        "graft.spec.modalities.image:ImageFolderData",
        "graft.spec.modalities.text:TextFolderData",
        "graft.spec.modalities.text:WordnetData",
        "graft.spec.modalities.table:TableData",
        "graft.spec.modalities.webdataset:WebDatasetData",
        "graft.spec.modalities.huggingface:HuggingFaceData",
        "graft.spec.modalities.image:NumpyData",
        "graft.spec.modalities.image:CocoData",
        "graft.spec.modalities.image:MetadataData",
    ),
    "modality": ("graft.spec.modalities.image:ImageModality", "graft.spec.modalities.text:TextModality"),
    "task": (
        "graft.spec.tasks.auto:AutoTask",
        "graft.spec.tasks.classification:Classification",
        "graft.spec.tasks.multilabel:Multilabel",
        "graft.spec.tasks.regression:Regression",
    ),
    "exporter": ("graft.spec.exporters:BundleExporter",),
    "meta_start": (
        "graft.spec.meta.starts:MapStart",
        "graft.spec.meta.starts:FrozenStart",
        "graft.spec.meta.starts:NetworkStart",
        "graft.spec.meta.starts:BothStart",
    ),
    "adapter": (
        "graft.spec.meta.adapters:PrototypeAdapter",
        "graft.spec.meta.adapters:RidgeAdapter",
        "graft.spec.meta.adapters:LogisticAdapter",
        "graft.spec.meta.adapters:PropagationAdapter",
        "graft.spec.meta.adapters:AnilAdapter",
        "graft.spec.meta.adapters:MamlAdapter",
        "graft.spec.meta.adapters:ReptileAdapter",
        "graft.spec.meta.adapters:LpFtAdapter",
        "graft.spec.meta.adapters:BitFitAdapter",
        "graft.spec.meta.adapters:LoraAdapter",
    ),
    "proposer": (
        "graft.spec.meta.proposers:HerdingProposer",
        "graft.spec.meta.proposers:TypicalThenMargin",
        "graft.spec.meta.proposers:TypicalProposer",
        "graft.spec.meta.proposers:RandomProposer",
        "graft.spec.meta.proposers:MarginProposer",
        "graft.spec.meta.proposers:EntropyProposer",
        "graft.spec.meta.proposers:BadgeProposer",
        "graft.spec.meta.proposers:CoreSetProposer",
    ),
    "check": (
        "graft.spec.checks.samples:LeftOutCheck",
        "graft.spec.checks.samples:CopiesCheck",
        "graft.spec.checks.samples:SplitLeakCheck",
        "graft.spec.checks.samples:ConflictingLabelCheck",
        "graft.spec.checks.samples:BalanceCheck",
        "graft.spec.checks.pictures:FileFormCheck",
        "graft.spec.checks.pictures:BlankPictureCheck",
        "graft.spec.checks.pictures:PictureOutlierCheck",
        "graft.spec.checks.pictures:NearCopyCheck",
        "graft.spec.checks.samples:ColumnCheck",
        "graft.spec.checks.labels:DoubtfulLabelCheck",
        "graft.spec.checks.labels:TriggerWordCheck",
        "graft.spec.checks.labels:PatchCheck",
        "graft.spec.checks.texts:EmptyTextCheck",
        "graft.spec.checks.texts:CharacterCheck",
        "graft.spec.checks.texts:PersonalDataCheck",
        "graft.spec.checks.texts:TextCopiesCheck",
        "graft.spec.checks.texts:TextLengthCheck",
    ),
}
"""Group -> our spec classes, as ``module:class``, in the order in which messages name them."""

GROUPS = tuple(OURS)


@functools.cache
def members(group: str) -> Mapping[str, type[Component]]:
    """The spec classes of a group by kind: ours first, then those of other packages, sorted.

    Raises:
        SpecError: a class of another package cannot be imported, or is no spec of that kind.
    """
    ours = {_kind(found): found for target in OURS[group] if (found := _imported(target))}
    theirs = {point.name: _from(point, group) for point in plugins(group) if point.name not in ours}
    return {**ours, **theirs}


@functools.cache
def plugins(group: str) -> tuple[EntryPoint, ...]:
    """What other packages have added to a group, by name."""
    return tuple(sorted(_installed(entry_points).select(group=f"graft.{group}"), key=lambda point: point.name))


@functools.cache
def _installed(find: Callable[[], EntryPoints]) -> EntryPoints:
    """All entry points of all groups: looking through what is installed once for each takes longer than validation."""
    return find()


def union(group: str) -> Any:
    """The type of a field that takes any member of a group: by `kind`, or by a bare name with its defaults."""
    found = tuple(members(group).values())
    if len(found) == 1:
        return Annotated[found[0], ByName]
    return Annotated[Union[found], Field(discriminator="kind"), ByName]  # noqa: UP007 - members are known at run time


def package_of(spec: type[Component]) -> str:
    """The package that a spec class comes from."""
    return spec.__module__.partition(".")[0]


def implementation(spec: Component, target: str = "") -> Any:
    """What a component is built by, imported now.

    Args:
        spec: the component.
        target: another ``module:attribute`` that its class names.

    Raises:
        SpecError: it belongs to another package, and cannot be imported.
    """
    target = target or spec.built_by
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # what the module of a stranger raises can be anything
        if package_of(type(spec)) == "graft":
            raise
        raise _fault(spec, f"cannot be imported from {target}", error) from error


def build(spec: Component, *arguments: Any) -> Any:
    """Build what a component stands for: its implementation, called with the spec and the arguments of its group.

    Raises:
        SpecError: it belongs to another package, and its signature does not fit or it raised.
    """
    return call(spec, spec, *arguments)


def call(spec: Component, *arguments: Any, target: str = "") -> Any:
    """Call the implementation of a component, or another function that its class names, with any arguments.

    Raises:
        SpecError: as for `build`.
    """
    made_by = implementation(spec, target)
    if package_of(type(spec)) == "graft":
        return made_by(*arguments)
    try:
        inspect.signature(made_by).bind(*arguments)
    except TypeError as error:
        raise _fault(spec, f"does not take the {len(arguments)} arguments that it is given", error) from error
    except ValueError:  # something written in C does not say what it takes
        pass
    try:
        return made_by(*arguments)
    except GraftError:
        raise
    except Exception as error:
        raise _fault(spec, "cannot be built", error) from error


def _fault(spec: Component, what: str, error: Exception) -> SpecError:
    package, told = package_of(type(spec)), " ".join(str(error).split())[:200]
    reason = f"{type(error).__name__}: {told}" if told else type(error).__name__
    return SpecError([Problem("", f"`{spec.kind}` of package {package} {what} ({reason}); tell its authors")])


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _kind(spec: type[Component]) -> str:
    return str(kind_of(spec))


def _has_kind(spec: type[Component], kind: str) -> bool:
    return kind_of(spec) == kind and get_args(spec.model_fields["kind"].annotation) == (kind,)


def _base(group: str) -> type[Component]:
    """What all members of a group are: the class right below `Component` that ours have in common."""
    lineage: tuple[type[Component], ...] = _imported(OURS[group][0]).__mro__
    return next(one for one in lineage if Component in one.__bases__)


def _from(point: EntryPoint, group: str) -> type[Component]:
    """The spec class behind an entry point."""
    package = point.value.partition(".")[0].partition(":")[0]
    try:
        found = point.load()
    except Exception as error:  # what the module of a stranger raises can be anything
        told = " ".join(str(error).split())[:200]
        fault = f"cannot be imported from {point.value} ({type(error).__name__}: {told}); repair or uninstall it"
        raise SpecError([Problem("", f"{group} `{point.name}` of package {package} {fault}")]) from error
    base = _base(group)
    if not (isinstance(found, type) and issubclass(found, base) and _has_kind(found, point.name)):
        needed = f'`kind: Literal["{point.name}"] = "{point.name}"`'
        rule = f"but must be a subclass of {base.__module__}.{base.__name__} with {needed}"
        raise SpecError([Problem("", f"{group} `{point.name}` of package {package} is {point.value}, {rule}")])
    return found
