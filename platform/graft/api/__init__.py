"""The Python interface: `graft.run`, `graft.frame`, `graft.load` and `graft.features`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graft.api.chatter  # noqa: F401 - first: libraries chatter while they are imported
from graft.api.frames import frame, with_frames
from graft.api.notebook import NotebookDisplay, is_in_notebook
from graft.core.storage import Home
from graft.core.uris import local_path
from graft.data.remote.here import copies_in
from graft.experiments.directory import Experiment
from graft.experiments.find_bundle import find_bundle
from graft.experiments.progress import Progress
from graft.experiments.result import Result
from graft.pipeline.look import overview_of
from graft.pipeline.resolve import resolve_job
from graft.pipeline.run import RunOptions, check_job, run_experiment
from graft.serving.predictor import Predictor
from graft.spec.job import Job
from graft.spec.load import load_job, parse_job

__all__ = ["features", "frame", "load", "run"]

if TYPE_CHECKING:
    import pyarrow as pa


def run(
    job: str | Path | Mapping[str, Any] | Job,
    overrides: Sequence[str] = (),
    home: str | Path | None = None,
    options: RunOptions | None = None,
    show_progress: bool = True,
) -> Result:
    """Adapt a pretrained model to data: ingest, search, fit, evaluate, export, register.

    Args:
        job: path of a job file, the same as a mapping, whose `data` may be a `graft.frame`, or a `Job`.
        overrides: ``["training.epochs=3"]``, as `--set` takes them.
        home: where everything is kept; default ``GRAFT_HOME``, else ``./.graft``.
        options: listeners and clock.
        show_progress: in a notebook, by one output that keeps itself up to date; elsewhere nothing is shown.

    Returns:
        The leaderboard, the winner, and the model, ready to predict.

    Raises:
        GraftError: see `graft.core.errors`; SpecError names every problem of the job at once.
        Interrupted: Ctrl-C, or a notebook's interrupt; the message says where the best model so far is.
    """
    place = Home.find(home)
    with copies_in(place):
        resolved = resolve_job(_read(job, place, overrides))
        loaded = resolved.job
        overview_of(loaded, resolved.listing)  # what cannot be used leaves no experiment behind
    check_job(loaded, place)
    options = options or RunOptions()
    if show_progress and is_in_notebook():
        display = NotebookDisplay(Progress(loaded.objective, loaded.epochs))
        options = replace(options, listeners=(*options.listeners, display))
    return run_experiment(Experiment.create(place, loaded), place, options)


def load(model: str | Path, home: str | Path | None = None, tta: int = 1) -> Predictor:
    """Load a model for prediction.

    Args:
        model: a bundle directory, an experiment, or a URI: ``models:/name`` for the champion, ``models:/name@alias``,
            ``models:/name/version``.
        home: whose experiments and tracking store are meant; default ``GRAFT_HOME``, else ``./.graft``.
        tta: views of each sample whose predictions are averaged (test-time augmentation); 1 is the sample alone.

    Raises:
        SpecError: there is no such model, or its samples have no so many views.
        ArtifactError: it is damaged, or was not made by graft.
    """
    return Predictor.from_directory(find_bundle(str(model), Home.find(home)), tta)


def features(
    job: str | Path | Mapping[str, Any] | Job,
    output: str | Path | None = None,
    backbone: str | None = None,
    cut: int | None = None,
    split: str = "all",
    *,
    home: str | Path | None = None,
    force: bool = False,
) -> "Path | pa.Table":
    """The pooled features of every sample of a job, with its id, split and label.

    Args:
        job: path of a job file, the same as a mapping, or a `Job`; of its strategy only backbone, size of inputs and
            precision matter.
        output: a ``.parquet`` file to stream them to; None gives a table in memory.
        backbone: any network of the zoo; the job's own if left out.
        cut: the first so many blocks of it; all if left out.
        split: ``train``, ``validation``, ``test`` or ``all``.
        home: where everything is kept; default ``GRAFT_HOME``, else ``./.graft``.
        force: whether a file that exists is replaced.

    Returns:
        The path of the file, or a `pyarrow.Table`: ``id``, ``split``, the task's labels, ``features``.

    Raises:
        GraftError: see `graft.core.errors`; SpecError names what cannot be asked for.
    """
    from graft.pipeline.features.features import table_of_features, write_features
    from graft.pipeline.features.request import feature_request
    from graft.pipeline.features.table import check_target

    target = None if output is None else local_path(output, "output")
    if target is not None:
        check_target(target, force)
    place = Home.find(home)
    request = feature_request(_read(job, place), backbone, cut, split)
    place.require_writable()
    if target is None:
        return table_of_features(request, place, _silent)
    write_features(request, place, target, _silent)
    return target


def _read(job: str | Path | Mapping[str, Any] | Job, home: Home, overrides: Sequence[str] = ()) -> Job:
    """The job that is meant; samples that it holds as objects become tables."""
    if isinstance(job, str | Path):
        return load_job(Path(job), overrides)
    return parse_job(with_frames(job, home), overrides)


def _silent(what: str, done: int, total: int) -> None:
    return None
