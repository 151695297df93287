"""The model that an exploration ends in: its head on the frozen backbone, as a bundle like any other."""

import shutil
import time
from pathlib import Path

import numpy as np

from graft.exploration.head import STRENGTH, HeadFit
from graft.models.bundle import BundleSpec, write_bundle
from graft.models.network import Network, build_head
from graft.pipeline.exploration.backbone import Embedding
from graft.spec.components.head import LogisticHead
from graft.spec.registry import build
from graft.spec.tasks.classification import Classification
from graft.transfer.freezing import copy_tensors


def write_model(directory: Path, name: str, embedding: Embedding, features: np.ndarray, labels: dict[int, str]) -> None:
    """Fit a head to every label, those of the audit too, and write the bundle; an earlier one is replaced.

    Args:
        directory: of the bundle.
        name: of the model.
        embedding: the backbone.
        features: float32 [N, F] of the pool.
        labels: by the row of the pool; of two classes at least.
    """
    names = tuple(sorted(set(labels.values())))
    codes = np.array([names.index(one) for one in labels.values()], np.int64)
    solution = HeadFit.of(features)(np.array([*labels], np.int64), codes, len(names)).solution
    head = LogisticHead(strength=STRENGTH)
    module = build_head(head, features.shape[1], len(names))
    copy_tensors(module.state_dict(), dict(solution.state), "solution of the head")
    strategy = embedding.strategy.model_copy(update={"head": head})
    task = Classification()
    spec = BundleSpec(
        name=name,
        architecture=embedding.info.architecture,
        strategy=strategy,
        modality=embedding.info.modality,
        task=task,
        names=names,
        facts=build(task).facts(codes, names),
        num_outputs=len(names),
        preprocessing=embedding.preprocessing,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    shutil.rmtree(directory, ignore_errors=True)
    network = Network(embedding.backbone(), module).eval()
    write_bundle(directory, network, spec, embedding.modality.bundle_files(embedding.preprocessing, embedding.info))
