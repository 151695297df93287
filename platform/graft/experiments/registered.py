"""What the journals of a home say of the models that its experiments and meta-trainings have registered."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ArtifactError
from graft.core.storage import Home, directory_digest
from graft.experiments.directory import TRAININGS, Experiment
from graft.journal import events
from graft.journal.journal import journal_path, read
from graft.models.bundle_files import MANIFEST
from graft.tracking.model_uri import META_SUFFIX, ModelUri
from graft.tracking.target import target_of


@dataclass(frozen=True)
class Registration:
    """What a journal says of a version.

    Attributes:
        digest: of the files that were registered.
        places: directories that have held them.
    """

    digest: str
    places: tuple[Path, ...]

    def bundle(self, home: Home) -> Path | None:
        """A directory on this machine with the very files that were registered; None if there is none."""
        for directory in (*self.places, home.models / self.digest[:32]):
            if (directory / MANIFEST).is_file() and directory_digest(directory) == self.digest:
                return directory
        return None


def registration_of(home: Home, store: str, name: str, version: str) -> Registration | None:
    """What was registered as a version of a model; None for a store of others.

    Args:
        home: whose experiments and meta-trainings are asked.
        store: tracking URI of the store that holds the version.
        name: of the model.
        version: its number.

    Raises:
        ArtifactError: the store is the home's own, but none of them has registered this version.
    """
    uri = str(ModelUri(name, version=version))
    for experiment in _registering(home, store, name):
        if (event := _event(experiment.journal_file, uri)) is not None:
            return Registration(event.digest or _digest_of_bundle(experiment, uri), (experiment.bundle,))
    for directory in _meta_trainings(home, store, name):
        if (event := _event(journal_path(directory), uri)) is not None:
            return Registration(event.digest, tuple(sorted(one for one in directory.iterdir() if one.is_dir())))
    if store == home.tracking_uri:
        raise ArtifactError(
            f"{uri} was registered by no experiment that is still in {home.experiments}, so nobody can tell whether "
            "its files are to be trusted; name an experiment, or the directory of a bundle, instead"
        )
    return None


def _registering(home: Home, store: str, name: str) -> Iterator[Experiment]:
    """Experiments whose job registers under this name in this store, newest first; damaged ones say nothing."""
    for experiment in (Experiment(home.experiments / one) for one in Experiment.names(home)):
        try:
            job = experiment.job()
        except ArtifactError:
            continue
        is_meant = job.model_name == name and target_of(home, job).uri == store
        if is_meant and experiment.journal_file.is_file():
            yield experiment


def _meta_trainings(home: Home, store: str, name: str) -> Iterator[Path]:
    """Meta-trainings whose meta-models are registered under this name in this store; damaged ones say nothing."""
    place = home.meta_models / name.removesuffix(META_SUFFIX) / TRAININGS
    if not name.endswith(META_SUFFIX) or not place.is_dir():
        return
    for directory in sorted(place.iterdir()):
        try:
            began = (one for _, one in read(journal_path(directory)) if isinstance(one, events.ExperimentStarted))
            job = next((one.job for one in began), {})
        except ArtifactError:
            continue
        if (job.get("tracking", {}).get("uri") or home.tracking_uri) == store:
            yield directory


def _event(journal: Path, uri: str) -> events.ModelRegistered | None:
    """The record of a version."""
    found = (one for _, one in read(journal) if isinstance(one, events.ModelRegistered) and one.uri == uri)
    return next(found, None)


def _digest_of_bundle(experiment: Experiment, uri: str) -> str:
    """For a journal from before digests were recorded: the bundle itself is still there."""
    if not (experiment.bundle / MANIFEST).is_file():
        raise ArtifactError(
            f"{uri} was registered by {experiment.name}, whose journal has no digest and whose bundle is gone, so "
            "nobody can tell whether its files are to be trusted; run the job anew"
        )
    return directory_digest(experiment.bundle)
