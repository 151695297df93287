"""A head that was solved on a frozen backbone, as a bundle: what few-shot answers and explorations end in."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from graft.core.storage import replacing
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.bundle import BundleSpec, write_bundle
from graft.models.load import describe_backbone
from graft.models.network import Network
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import TaskSpec


@dataclass(frozen=True)
class FrozenModel:
    """A backbone as it was pretrained, a head, and all that prediction needs beside them.

    Attributes:
        name: of the model.
        strategy: names the backbone and the head.
        backbone: with its weights.
        head: solved.
        preprocessing: from a sample to the backbone's input.
        task: what is asked of a sample.
        names: of what is predicted, as the outputs.
        facts: that the task must know to answer.
        metrics: scores on held-out data.
        invariances: what may be done to a sample without changing its label.
    """

    name: str
    strategy: Strategy
    backbone: Backbone
    head: nn.Module
    preprocessing: Preprocessing
    task: TaskSpec
    names: tuple[str, ...]
    facts: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    invariances: Mapping[str, Any] = field(default_factory=dict)


def write_frozen(model: FrozenModel, directory: Path) -> None:
    """Write the bundle; one that is there is replaced when the new one is whole.

    Raises:
        ResourceError: the disk is full.
    """
    info = describe_backbone(model.strategy.backbone)
    spec = BundleSpec(
        name=model.name,
        architecture=info.architecture,
        strategy=model.strategy,
        modality=info.modality,
        task=model.task,
        names=model.names,
        facts=dict(model.facts),
        num_outputs=len(model.names),
        preprocessing=model.preprocessing,
        invariances=dict(model.invariances),
        metrics=dict(model.metrics),
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    files = build_modality(info.modality).bundle_files(model.preprocessing, info)
    with replacing(directory) as fresh:
        write_bundle(fresh, Network(model.backbone, model.head).eval(), spec, files)
