"""What a job's `strategy.structure` makes of its backbones: what is wrong with it, and what each edit costs."""

from collections.abc import Iterator
from dataclasses import dataclass

from graft.core.errors import Problem, SpecError
from graft.modalities.registry import build_modality
from graft.models.info import BackboneInfo
from graft.models.load import check_backbone, depth_of_backbone, describe_backbone
from graft.models.zoo import has_backbone
from graft.search.searchers.grid import GridSearch
from graft.spec.components.skip import SkipSpec
from graft.spec.components.structure import Structure
from graft.spec.job import Job
from graft.spec.metrics import MetricSpec
from graft.spec.registry import members
from graft.spec.search.searchers import GridSearcher
from graft.spec.space.leaves import components_in, numbers_in, values_in
from graft.spec.space.nodes import Component, Node, Value
from graft.spec.space.space import StrategySpace

FIELD = "structure"
# Of a range of shares, so many are told.
POINTS = 5


@dataclass(frozen=True)
class PlannedEdit:
    """One structure that a search may give a backbone, at the largest size of its inputs.

    Attributes:
        backbone: its name.
        label: the structure in short.
        params: of the edited backbone.
        multiply_adds: of one sample.
        whole_params: of the whole one.
        whole_multiply_adds: of one sample.
    """

    backbone: str
    label: str
    params: int
    multiply_adds: int
    whole_params: int
    whole_multiply_adds: int

    def line(self) -> str:
        """For people: ``efficientnet_lite0 keep=0.471: 0.25 M parameters, 13 M multiply-adds (37 % of the whole)``."""
        share = self.multiply_adds / self.whole_multiply_adds
        counted = f"{self.params / 1e6:.3g} M parameters, {self.multiply_adds / 1e6:.3g} M multiply-adds"
        return f"{self.backbone} {self.label}: {counted} ({share:.0%} of the whole)"


def planned_edits(job: Job) -> tuple[PlannedEdit, ...]:
    """The structures of a job's space, dearest first for each backbone; none where it edits nothing, or nothing that
    costs anything."""
    node = dict(job.reach.root.fields).get(FIELD)
    usable = [name for name in job.reach.values("backbone") if check_backbone(name, weights=False) is None]
    if node is None:
        return ()
    from graft.models.structure.edited import edit_of

    found = []
    for name in usable:
        info = describe_backbone(name)
        if not info.num_params:
            continue
        size = max(build_modality(info.modality).sizes(job.reach_of(name)))
        structures = {one.simplest(depth_of_backbone(name, one)): None for one in _structures(node)}
        edits = [(one, edit_of(info.architecture, one, size)) for one in structures]
        for one, edit in sorted(edits, key=lambda pair: -pair[1].after.multiply_adds):
            before, after = edit.before, edit.after
            label = " ".join(one.label()) or "whole"
            costs = (after.params, after.multiply_adds, before.params, before.multiply_adds)
            found.append(PlannedEdit(name, label, *costs))
    return tuple(found)


def structure_problems(job: Job) -> Iterator[Problem]:
    """Shares that keep or leave out no block, and poolings of what pools by itself, for any backbone of the job."""
    node = dict(job.reach.root.fields).get(FIELD, Value("none"))
    for name in job.reach.values("backbone"):
        if not has_backbone(name):
            continue  # said by `check_job`, with the nearest names
        info = describe_backbone(name)
        for option in components_in(node):
            yield from _problems(option, info)


def _problems(option: Component, info: BackboneInfo) -> Iterator[Problem]:
    fields = dict(option.fields)
    shares = [*numbers_in(fields.get("keep", Value(1.0)))]
    lost = [share for share in shares if round(share * info.num_blocks) < 1]
    if lost:
        least = 1 / info.num_blocks
        told = f"is {lost[0]:g}, which keeps none of the {info.num_blocks} blocks of {info.name}"
        yield Problem("strategy.structure.keep", f"{told}; keep {least:.2g} at least, which is one of them")
        return
    for skip in components_in(fields.get("skip", Value("none"))):
        if told := _skip_problem(skip, max(shares), info):
            yield Problem("strategy.structure.skip", told)
    if any(share > 0 for share in numbers_in(fields.get("deepen", Value(0.0)))) and (told := _deepen_problem(info)):
        yield Problem("strategy.structure.deepen", told)
    if any(factor > 1 for factor in numbers_in(fields.get("widen", Value(1.0)))) and (told := _widen_problem(info)):
        yield Problem("strategy.structure.widen", told)
    for pool in values_in(fields.get("pool", Value("own"))):
        structure = Structure.model_validate({"keep": max(shares), "pool": pool})
        if pool != "own" and (told := _pool_problem(structure, info)):
            yield Problem("strategy.structure.pool", told)


def _skip_problem(skip: Component, keep: float, info: BackboneInfo) -> str:
    """What is wrong with the most that a skip leaves out."""
    if skip.kind == "none":
        return ""
    most = {name: max(numbers_in(node), default=None) or next(values_in(node)) for name, node in skip.fields}
    spec = members("skip")[str(skip.kind)].model_validate(most)
    assert isinstance(spec, SkipSpec)
    structure = Structure(keep=keep, skip=spec)
    depth = depth_of_backbone(info.name, structure)
    kept, left = structure.kept(depth.num_blocks), len(structure.blocks(depth))
    if left < kept:
        return ""
    candidates = sum(place < kept for place in depth.residual or ())
    if not candidates:
        return (
            f"is {skip.kind}, but none of the {kept} blocks that are kept of {info.name} gives what it takes in shape"
        )
    return f"is {' '.join(structure.label()[-1:])}, which is none of the {candidates} residual blocks of {info.name}"


def _pool_problem(structure: Structure, info: BackboneInfo) -> str:
    from graft.models.structure.edited import check_pool

    try:
        check_pool(structure, info.architecture, info.name)
    except SpecError as error:
        return error.problems[0].message
    return ""


def _deepen_problem(info: BackboneInfo) -> str:
    from graft.models.structure.edited import check_deepen

    try:
        check_deepen(info.architecture, info.name)
    except SpecError as error:
        return error.problems[0].message
    return ""


def _widen_problem(info: BackboneInfo) -> str:
    from graft.models.structure.edited import check_widen

    try:
        check_widen(info.architecture, info.name)
    except SpecError as error:
        return error.problems[0].message
    return ""


def _structures(node: Node) -> Iterator[Structure]:
    space = StrategySpace(Component(None, ((FIELD, node),)))
    metric = MetricSpec("any", "max")  # nothing is compared here
    grid = GridSearch(GridSearcher(points=POINTS), space, metric, seed=0)
    return (one.structure for index in range(grid.size) if (one := grid.draw(index, ())) is not None)
