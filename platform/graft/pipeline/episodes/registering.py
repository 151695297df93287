"""A meta-model in MLflow's registry: one version for each, the one in use under the alias champion."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.core.storage import directory_digest
from graft.episodes.meta_model import MetaModel
from graft.journal import events
from graft.journal.journal import Journal
from graft.pipeline.episodes.keeping import Kept
from graft.tracking.environment import settle_environment
from graft.tracking.model_uri import CHALLENGER, CHAMPION, META_SUFFIX
from graft.tracking.target import Target

if TYPE_CHECKING:
    import pandas as pd

MOST_TAG = 5000
"""Characters of a tag that every store takes."""


def made_of(model: MetaModel, kept: Kept) -> events.MetaModelMade:
    """The record of a meta-model."""
    spec = model.spec
    tasks = tuple(one.model_dump(mode="json") for one in spec.tasks)
    return events.MetaModelMade(
        spec.name, model.digest, spec.backbone, spec.backbone_digest, tasks, kept.role, kept.reason
    )


def register_meta_model(
    directory: Path, target: Target, model: MetaModel, kept: Kept, journal: Journal
) -> events.ModelRegistered:
    """Register a meta-model under its role, and record that; the alias of the other role stays where it is.

    Args:
        directory: of the meta-training.
        target: where its runs are recorded.
        model: what is registered.
        kept: its role.
        journal: of the meta-training.

    Raises:
        TrackingError: the store does not answer or refuses.
    """
    settle_environment()
    from graft.tracking.mlflow.registration import ModelPackage, register  # MLflow takes seconds to import

    spec = model.spec
    package = ModelPackage(
        bundle=model.directory,
        name=f"{spec.name}{META_SUFFIX}",
        loader_module="graft.serving.mlflow_meta_model",
        requirements=(f"graft=={version('graft')}",),
        inputs={**dict.fromkeys(spec.shapes, "string"), "label": "string"},
        outputs={"label": "string", "probability": "double"},
        input_example=_example(model),
        alias=CHAMPION if kept.role == "champion" else CHALLENGER,
        tags=_tags(model),
    )
    registered = register(directory, target, package)
    event = events.ModelRegistered(registered.uri, registered.version, directory_digest(model.directory))
    journal.append(event)
    return event


def _example(model: MetaModel) -> "pd.DataFrame | None":
    """A table of two labelled samples and one to be answered, of those that were kept."""
    import pandas as pd

    samples = model.replay()
    if samples is None or len(samples.classes) < 2:
        return None
    labels = samples.labels
    first, other = (int(np.flatnonzero(labels == code)[0]) for code in samples.classes[:2])
    rows = [first, other, int(np.flatnonzero(labels == samples.classes[0])[-1])]
    cells = {name: [json.dumps(view[row].tolist()) for row in rows] for name, view in samples.inputs.items()}
    return pd.DataFrame({**cells, "label": ["one", "other", ""]})


def _tags(model: MetaModel) -> dict[str, str]:
    spec = model.spec
    classes = [name for task in spec.tasks for name in task.classes]
    listed = ", ".join(classes)
    told = {"weights": model.digest, "tasks": listed if len(listed) <= MOST_TAG else f"{listed[: MOST_TAG - 1]}…"}
    if spec.backbone:
        told |= {"backbone": spec.backbone, "backbone_digest": spec.backbone_digest}
    return {f"graft.meta.{name}": value for name, value in told.items()}
