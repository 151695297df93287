"""Bundles of earlier tasks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from graft.models.bundle import BundleSpec, write_bundle
from graft.models.libraries import build_backbone
from graft.models.network import Network, head_of
from graft.models.structure.edited import edited
from graft.spec.modalities.image import ImagePreprocessing
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification

ARCHITECTURE = "timm/test_efficientnet"

Bundle = Callable[..., Path]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """``bundle(names=…, seed=0, architecture=…, **strategy)``: of an earlier task."""

    def write(
        names: tuple[str, ...] = ("a", "b"), seed: int = 0, name: str = "bundle", architecture: str = ARCHITECTURE,
        **fields: Any,
    ) -> Path:  # fmt: skip
        strategy = Strategy.model_validate({"backbone": architecture.replace("/", ":"), "resolution": 32, **fields})
        torch.manual_seed(seed)
        whole = build_backbone(architecture, 32)
        for tensor in whole.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.05 * torch.randn_like(tensor)).abs_() if tensor.ndim == 1 else None
        backbone = edited(whole, strategy.structure, architecture)
        network = Network(backbone, head_of(strategy, backbone, len(names))).eval()
        spec = BundleSpec(
            name="earlier",
            architecture=architecture,
            strategy=strategy,
            task=Classification(),
            names=names,
            num_outputs=len(names),
            preprocessing=ImagePreprocessing(
                stored_size=40, resolution=32, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), interpolation="bilinear"
            ),
        )
        write_bundle(tmp_path / name, network, spec)
        return tmp_path / name

    return write
