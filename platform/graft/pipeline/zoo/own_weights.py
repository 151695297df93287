"""Weights that a user brings: what is wrong with them is told before a run, and not by its first trial."""

from collections.abc import Iterator

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.storage import Home
from graft.models.load import load_backbone
from graft.models.sources import FileWeights, HubWeights
from graft.models.weights.header import SUFFIXES, file_problem
from graft.models.zoo import find_entry, name_problem
from graft.pipeline.zoo.mapped import check_inits, inits_of, needs_own_weights
from graft.pipeline.zoo.meta_learned import check_meta_models
from graft.pipeline.zoo.own_heads import check_own_heads
from graft.spec.job import Job

_WHERE = "strategy.backbone"


def damage_problems(job: Job) -> Iterator[Problem]:
    """Files of weights that are not there, cut off or of another format, as far as their headers tell.

    What a hub has and this machine has not is no problem: the job may run elsewhere.
    """
    for name in _chosen(job):
        if told := _damage(name):
            yield Problem(_WHERE, f"is {name}, but {told}")


def check_own_weights(job: Job) -> None:
    """Fill each network with the weights that the user brings for it.

    Raises:
        SpecError: they are damaged, or do not fit; all such problems.
    """
    problems = []
    for name in _own(job):
        try:
            load_backbone(name)
        except ArtifactError as error:
            problems.append(Problem(_WHERE, f"is {name}, but {str(error).removeprefix(f'backbone `{name}`: ')}"))
    if problems:
        raise SpecError(problems)


def check_starts(job: Job, home: Home) -> None:
    """Try all that trials of a job may start from: own weights and heads, mapped ones and meta-models.

    Raises:
        SpecError: one does not fit; for each of these kinds all such problems.
        ArtifactError: a meta-model is gone, damaged, or another one than when the job began.
        TrackingError: a registered one must be fetched again, but the store does not answer.
    """
    check_own_weights(job)
    check_own_heads(job)
    check_inits(job)
    check_meta_models(job, home)


def left_to_plan(job: Job) -> list[str]:
    """What `graft validate` does not find out, because it takes the weights themselves."""
    told = [f"whether the weights of {name} fit their network" for name in _own(job)]
    sources = dict.fromkeys(init.source for init in inits_of(job) if init.source)
    return [*told, *(f"how much of each network the weights of {source} fill" for source in sources)]


def _chosen(job: Job) -> list[str]:
    """Backbones whose weights a path or a hub's name names."""
    names = job.reach.values("backbone") if needs_own_weights(job) else ()
    return [name for name in names if ":" in name and name_problem(name) is None]


def _own(job: Job) -> list[str]:
    return [name for name in _chosen(job) if _is_own(name)]


def _is_own(name: str) -> bool:
    """Whether nobody but the user vouches for the files of weights; a tokenizer alone is none."""
    weights = find_entry(name).weights
    if isinstance(weights, HubWeights):
        return any(not file.stated and file.path.suffix in SUFFIXES for file in weights.files())
    return isinstance(weights, FileWeights)


def _damage(name: str) -> str | None:
    weights = find_entry(name).weights
    if isinstance(weights, FileWeights):
        return weights.problem()
    try:
        files = [file.path for file in weights.files() if file.path.suffix in SUFFIXES]
    except SpecError:
        return None  # there is no such network, which is told as such
    except ArtifactError as error:
        return str(error)
    return next(filter(None, map(file_problem, files)), None)
