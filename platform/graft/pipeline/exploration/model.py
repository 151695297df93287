"""The model that an exploration ends in: its head on the frozen backbone, as a bundle like any other."""

from pathlib import Path

import numpy as np

from graft.exploration.head import STRENGTH, HeadFit
from graft.learner.closed_form.head_solver import inner_head
from graft.pipeline.exploration.backbone import Embedding
from graft.pipeline.fewshot.frozen_model import FrozenModel, write_frozen
from graft.spec.components.head import LogisticHead
from graft.spec.registry import build
from graft.spec.tasks.classification import Classification
from graft.transfer.freezing import copy_tensors


def write_model(directory: Path, name: str, embedding: Embedding, features: np.ndarray, labels: dict[int, str]) -> None:
    """Fit a head to every label, those of the audit too, and write the bundle; an earlier one is replaced.

    Args:
        directory: of the bundle.
        name: of the model.
        embedding: the backbone, and the map behind it.
        features: float32 [N, F] of the pool.
        labels: by the row of the pool; of two classes at least.
    """
    names = tuple(sorted(set(labels.values())))
    codes = np.array([names.index(one) for one in labels.values()], np.int64)
    solution = HeadFit.of(features)(np.array([*labels], np.int64), codes, len(names)).solution
    head = LogisticHead(strength=STRENGTH)
    strategy = embedding.strategy.model_copy(update={"head": head})
    network = embedding.network(strategy, len(names))
    copy_tensors(inner_head(network).state_dict(), dict(solution.state), "solution of the head")
    task = Classification()
    model = FrozenModel(
        name=name,
        strategy=strategy,
        backbone=network.backbone,
        head=network.head,
        preprocessing=embedding.preprocessing,
        task=task,
        names=names,
        facts=build(task).facts(codes, names),
    )
    write_frozen(model, directory)
