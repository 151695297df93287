"""Two real bundles, made once: efficientnet_lite0 with its pretrained weights and a random head, colour and grey."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from graft.models.bundle import BundleSpec, write_bundle
from graft.models.load import load_backbone
from graft.models.network import Network, build_head
from graft.serving.predictor import Predictor
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import Strategy

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

    def write(channels: int) -> Path:
        spec = BundleSpec(
            name="pets",
            architecture=loaded.info.architecture,
            strategy=Strategy(),
            labels=LABELS,
            preprocessing=Preprocessing(
                stored_size=40, resolution=32, channels=channels, mean=loaded.info.mean, std=loaded.info.std
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


@pytest.fixture
def pixels() -> np.ndarray:
    """A picture with structure: uint8 [60, 80, 3]."""
    rows, columns = np.mgrid[:60, :80]
    return np.stack([rows * 4, columns * 3, (rows * columns) % 256], axis=2).astype(np.uint8)


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Encodes pixels, or a PIL image: `encode(pixels, "JPEG", quality=90)`."""

    def encode(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
        stream = io.BytesIO()
        picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        picture.save(stream, kind, **options)
        return stream.getvalue()

    return encode


@pytest.fixture
def folder(tmp_path: Path, pixels: np.ndarray, encode: Callable[..., bytes]) -> Path:
    """`a.png`, `sub/b.jpg`, and files that are not images."""
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    (root / "a.png").write_bytes(encode(pixels))
    (root / "sub" / "b.jpg").write_bytes(encode(pixels[::-1], "JPEG"))
    (root / "notes.txt").write_text("not an image")
    (root / ".hidden.png").write_bytes(encode(pixels))
    return root
