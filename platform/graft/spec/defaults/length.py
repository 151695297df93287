"""How long the trainings of a job are that leaves it open, and when its trials are compared first."""

from graft.spec.defaults.scale import Length, Scale
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members
from graft.spec.search.phases import can_shorten, least_epochs, phases_of
from graft.spec.space.space import StrategySpace


def with_length(job: Job, scale: Scale) -> Job:
    """The job with `training.epochs`, and the first rung of each scheduler that leaves it open.

    Trainings that can become shorter by the pace that they show have all the epochs that are wanted; what machines are
    taken to be capable of decides of the others.

    Args:
        job: with a strategy that fits its samples.
        scale: how large it is.
    """
    sizes = batch_sizes(job)
    modality = members("modality")[job.data.modality]
    length = modality.length if issubclass(modality, ModalitySpec) else Length()
    shorten = can_shorten(job.search) if job.training.shorten is None else job.training.shorten
    seconds = 0.0 if shorten else seconds_of(job)
    epochs = max(scale.epochs(max(sizes), length, seconds), least_epochs(job.search))
    rung, search = scale.first_rung(sizes, epochs), job.search
    ends = [min(rung, phase.epochs) for phase in phases_of(search, epochs)]
    if search.phases:
        phases = [
            one.model_copy(update={"scheduler": one.scheduler.decided(end)})
            for one, end in zip(search.phases, ends, strict=True)
        ]
        search = search.model_copy(update={"phases": phases})
    else:
        search = search.model_copy(update={"scheduler": search.scheduler.decided(ends[0])})
    training = job.training.model_copy(update={"epochs": epochs, "shorten": shorten})
    return parse_job(job.model_copy(update={"search": search, "training": training}))


def batch_sizes(job: Job) -> list[int]:
    """Every batch size that may be tried, as far as they are named; of a range its bounds."""
    return sorted(int(size) for size in _trained(job).values("batch_size"))


def batch_note(job: Job, training: int) -> str:
    """What becomes of batches that are larger than the data; empty if the job asks for none.

    Args:
        job: as it was given: sizes that are chosen for it are no surprise.
        training: samples that are trained on.
    """
    sizes = batch_sizes(job) if "batch_size" in job.strategy.dump() else []
    if not sizes or sizes[-1] <= training:
        return ""
    told = f"batch_size is {sizes[-1]:,}, but there are {training:,} training samples"
    return f"{told}: each batch holds all of them, and an epoch is one step"


def seconds_of(job: Job) -> float:
    """Seconds that one core takes to train on one sample with the dearest strategy; frozen blocks cost nothing."""
    modality = members("modality")[job.data.modality]
    if not issubclass(modality, ModalitySpec):
        return 0.0
    trained = _trained(job)
    least = min(float(share) for share in trained.values("freeze"))
    return modality.training_seconds(trained) * (1 - least)


def _trained(job: Job) -> StrategySpace:
    """All that may be tried, without heads that are solved: these take no epochs, whatever the size of a sample."""
    return job.space.widened(one for one in job.search.first or () if not one.only().head.is_solved)
