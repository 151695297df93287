"""What a task is like, from a sample of its training rows: for the task memory to find like ones.

A reference backbone, one for each modality, gives the features: from the store where they are, else computed for the
sample alone, which takes a second or two. Nothing of a sample is in what comes out.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from graft.core.errors import DataError
from graft.data.dataset import Split
from graft.learner.pretrained import preprocessing_for
from graft.learner.supervised import source_of
from graft.learner.task_description.fisher import fisher_diagonal
from graft.learner.task_description.rows import SAMPLE_ROWS, features_of_rows, sample_rows, targets_of
from graft.learner.training_data import TrainingData
from graft.meta.memory.records import TaskEntry
from graft.meta.task_embedding.meta_features import meta_features
from graft.meta.task_embedding.sample import TaskSample
from graft.meta.task_embedding.vector import PART, WHOLE, task_vector
from graft.search.screening.scores import score_features
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members
from graft.spec.strategy import Strategy

_WORD_TYPES = (torch.int64, torch.int32)


@dataclass(frozen=True)
class Reference:
    """The network that all tasks of a modality are looked at with.

    Attributes:
        backbone: its name.
        size: of its inputs, as the modality counts it.
        depths: name of a depth -> the strategy whose frozen blocks give the features at it.
    """

    backbone: str
    size: int
    depths: dict[str, Strategy]

    def __str__(self) -> str:
        return f"{self.backbone}@{self.size}"


def reference_of(data: TrainingData) -> Reference | None:
    """The reference of the samples of a task; None where the modality names none."""
    spec = members("modality").get(data.storage.modality)
    fields = spec.reference if spec is not None and issubclass(spec, ModalitySpec) else {}
    if not fields:
        return None
    whole = Strategy.model_validate({"freeze": 1.0, "precision": "fp32", **fields})
    part = Strategy.model_validate({"freeze": 1.0, "precision": "fp32", **fields, "structure": {"keep": float(PART)}})
    return Reference(whole.backbone, data.modality.size(whole), {WHOLE: whole, PART: part})


def describe_task(
    data: TrainingData, entry: TaskEntry, most: int = SAMPLE_ROWS, with_fisher: bool = False
) -> TaskEntry:
    """An entry with meta-features and vector.

    Args:
        data: what is trained on; it has a feature cache, whose features are used where they are there.
        entry: with the name of the task.
        most: rows that are looked at.
        with_fisher: whether the vector has the Fisher information too, of at most `fisher.MOST_ROWS` rows.

    Raises:
        ArtifactError: the weights of the reference are missing.
    """
    rows = sample_rows(data, most)
    sample = _counted(data)
    reference = reference_of(data)
    if reference is None or len(rows) < 2:
        return replace(entry, meta_features=meta_features(sample))
    sample = _looked_at(data, reference, rows, sample)
    whole = reference.depths[WHOLE]
    fisher = fisher_diagonal(data, whole, rows, sample.features[WHOLE]) if with_fisher else ()
    vector = task_vector(sample, str(reference), fisher)
    return replace(
        entry, meta_features=meta_features(sample), embedding=vector.values, embedding_version=vector.version
    )


def _counted(data: TrainingData) -> TaskSample:
    targets = np.asarray(data.arrays.targets)[data.arrays.rows(Split.TRAIN)]
    names = len(data.arrays.names)
    if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
        counts = np.bincount(targets, minlength=names)
        return TaskSample(len(targets), len(counts), tuple(map(int, counts)))
    outputs = 1 if targets.ndim == 1 else targets.shape[1]
    is_label = np.isin(targets, (0, 1)).all() if targets.ndim == 2 else False
    return TaskSample(len(targets), outputs, tuple(map(int, targets.sum(axis=0))) if is_label else ())


def _looked_at(data: TrainingData, reference: Reference, rows: np.ndarray, sample: TaskSample) -> TaskSample:
    targets = targets_of(data, rows)
    features = {depth: features_of_rows(data, one, rows) for depth, one in reference.depths.items()}
    alignment = {}
    for depth, some in features.items():
        try:
            alignment[depth] = score_features(some, targets)
        except DataError:
            alignment[depth] = {}  # targets of the sample are all alike: nothing aligns with them
    inputs = source_of(data, reference.depths[WHOLE], preprocessing_for(data, reference.depths[WHOLE])).inputs()
    lengths = np.empty(0) if inputs.lengths is None else np.asarray(inputs.lengths)[rows]
    batch = inputs.plain(rows)
    words = next((tensor for tensor in batch.values() if tensor.ndim == 2 and tensor.dtype in _WORD_TYPES), None)
    overlap = None if words is None or not len(lengths) else _overlap(words.cpu().numpy())
    return replace(sample, features=features, alignment=alignment, lengths=lengths, overlap=overlap)


def _overlap(words: np.ndarray) -> float:
    """Share of the words of every second sample that the others have too."""
    known, asked = np.unique(words[::2]), np.unique(words[1::2])
    return float(np.isin(asked, known).mean()) if len(asked) else 1.0
