"""A head on a bag of words, from texts to a bundle that answers."""

from pathlib import Path

import numpy as np
import pytest

from graft.data.columns import ColumnSpec, Ragged
from graft.data.dataset import DatasetArrays, Split
from graft.data.listing import Listing
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.registry import build_modality
from graft.models.bundle import BundleSpec, write_bundle
from graft.models.load import canonical, describe_backbone
from graft.serving.predictor import Predictor
from graft.spec.modalities.table import TableData
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.lookup import metric_named

CLASSES, ROWS = ("dark", "light"), 60
WORDS = (("night", "black", "shade", "coal"), ("day", "white", "sun", "snow"))
FILLING = ("the", "of", "and", "is", "a", "was", "very", "not")
STRATEGY = {"backbone": "bag:minilm_l6", "freeze": 1.0, "max_tokens": 64}


def training_data(strategy: Strategy) -> TrainingData:
    """Each text says its class once, among words of both."""
    random, labels = np.random.default_rng(0), np.arange(ROWS, dtype=np.int64) % 2
    texts = [" ".join([*random.choice(FILLING, 12), random.choice(WORDS[label])]) for label in labels]
    modality, data = build_modality("text"), TableData(path=Path("/nowhere"), text="text", label="label")
    ids, given = tuple(map(str, range(ROWS))), np.full(ROWS, UNASSIGNED, np.uint8)
    listing = Listing("texts", ids, RawTargets(labels, CLASSES), given, "texts", [text.encode() for text in texts])
    storage = modality.storage(listing, StrategySpace.parse(strategy.model_dump(mode="json")))
    found = modality.decoder(data, listing, storage)(listing.sources).columns
    columns = {spec.name: _column(spec, found[spec.name]) for spec in storage.columns}
    splits = np.repeat([0, 1], [ROWS - 20, 20]).astype(np.uint8)
    arrays = DatasetArrays(columns, labels, splits, CLASSES, {"num_outputs": 2})
    loss = metric_named("loss", "classification")
    return TrainingData(arrays, storage, data, Classification(), loss, 1, None, seed=0, num_threads=1)


def _column(spec: ColumnSpec, rows: list[np.ndarray]) -> np.ndarray | Ragged:
    return Ragged.of(rows, spec.dtype) if spec.shape is None else np.asarray(rows)


@pytest.mark.parametrize("head", [{"kind": "ridge", "scale": "idf"}, {"kind": "logistic", "scale": "idf"}])
def test_words_are_told_apart_and_a_bundle_answers_alike(head: dict[str, str], tmp_path: Path) -> None:
    strategy = canonical(Strategy.model_validate({**STRATEGY, "head": head}))
    data = training_data(strategy)
    learner = build_learner(data, strategy, (Split.TRAIN,))
    assert learner.train(None, validate=True).best_metrics["val/accuracy"] > 0.9
    network, info = learner.session.model.network, describe_backbone(strategy.backbone)
    preprocessing = data.modality.preprocessing(data.storage, strategy, info)
    spec = BundleSpec(
        name="words",
        architecture=info.architecture,
        strategy=strategy,
        modality="text",
        task=data.task.spec,
        names=CLASSES,
        facts={"num_outputs": 2},
        num_outputs=2,
        preprocessing=preprocessing,
    )
    write_bundle(tmp_path / "words", network, spec, data.modality.bundle_files(preprocessing, info))
    told = Predictor.from_directory(tmp_path / "words").predict(["the snow is very not", "coal of the night", ""])
    assert [one.answer["label"] for one in told[:2]] == ["light", "dark"]
