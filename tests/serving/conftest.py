"""Two real bundles, made once: efficientnet_lite0 with its pretrained weights and a random head, colour and grey."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from graft.models.bundle import BundleSpec, write_bundle
from graft.models.load import load_backbone
from graft.models.network import Network, build_head
from graft.serving.predictor import Predictor
from graft.spec.modalities.image import ImagePreprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification

LABELS = ("cat", "dog", "emu")


@pytest.fixture(scope="session")
def write_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Writes a bundle whose images are stored with so many channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loaded = load_backbone("efficientnet_lite0", 32)
        network = Network(loaded.backbone, build_head(Strategy().head, loaded.info.num_features, len(LABELS)))
        # A head that has not been trained hardly tells images apart; this one does, and so do the tests.
        torch.nn.init.normal_(network.head[1].weight, std=0.05)
    given = loaded.info.input

    def write(channels: int) -> Path:
        spec = BundleSpec(
            name="pets",
            architecture=loaded.info.architecture,
            strategy=Strategy(),
            task=Classification(),
            names=LABELS,
            facts={"num_outputs": len(LABELS)},
            num_outputs=len(LABELS),
            preprocessing=ImagePreprocessing(
                stored_size=40, resolution=32, channels=channels, mean=given.mean, std=given.std
            ),
        )
        directory = tmp_path_factory.mktemp("bundles") / "pets"
        write_bundle(directory, network, spec)
        return directory

    return write


@pytest.fixture(scope="session")
def bundle(write_model: Callable[[int], Path]) -> Path:
    return write_model(3)


@pytest.fixture(scope="session")
def colour(bundle: Path) -> Predictor:
    return Predictor.from_directory(bundle)


@pytest.fixture(scope="session")
def grey(write_model: Callable[[int], Path]) -> Predictor:
    return Predictor.from_directory(write_model(1))


@pytest.fixture(params=["colour", "grey"])
def predictor(request: pytest.FixtureRequest) -> Predictor:
    """Both kinds, one after the other."""
    found: Predictor = request.getfixturevalue(request.param)
    return found
