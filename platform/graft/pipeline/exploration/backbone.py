"""What a frozen backbone makes of the samples of a pool, read as `graft predict` reads them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graft.data.listing import Listing
from graft.data.targets import RawTargets
from graft.modalities.protocol import Modality, Readings
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.info import BackboneInfo
from graft.models.load import describe_backbone, load_backbone
from graft.spec.job import Job
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy

_BATCH, _WINDOW = 64, 1024
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Embedding:
    """A backbone with all that goes before it.

    Attributes:
        strategy: names backbone and size.
        info: of the backbone.
        modality: of the samples.
        preprocessing: from a sample to the backbone's input.
    """

    strategy: Strategy
    info: BackboneInfo
    modality: Modality
    preprocessing: Preprocessing

    @classmethod
    def of(cls, job: Job, backbone: str | None, facts: dict[str, Any]) -> "Embedding":
        """That of a job.

        Args:
            job: names the kind of data and the strategy.
            backbone: another one than the job's.
            facts: of a listing of the samples.
        """
        modality = build_modality(job.data.modality)
        name = backbone or str(job.reach.values("backbone")[0])
        info = describe_backbone(name)
        strategy = Strategy(backbone=name, freeze=1.0, **modality.sized(max(modality.sizes(job.reach))))
        nothing = np.empty(0)
        empty = Listing("", (), RawTargets(nothing), nothing.astype(np.uint8), "", (), facts=facts)
        storage = modality.storage(empty, job.reach)
        return cls(strategy, info, modality, modality.preprocessing(storage, strategy, info))

    def backbone(self) -> Backbone:
        """With its weights."""
        found = load_backbone(self.strategy.backbone, self.modality.size(self.strategy)).backbone
        return found.eval()

    def features(self, samples: Sequence[Any], scratch: Path, told: OnProgress) -> tuple[np.ndarray, dict[int, str]]:
        """float32 [n, F] of the samples that can be read, and why the others cannot, by their places.

        Args:
            samples: as the modality's reader takes them.
            scratch: directory for files that the reader needs.
            told: how many are done, of how many.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        for name, content in self.modality.bundle_files(self.preprocessing, self.info).items():
            (scratch / name).write_bytes(content)
        read, found, errors = self.modality.reader(self.preprocessing, scratch), list[np.ndarray](), dict[int, str]()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = self.backbone()
        self.modality.suit(network, device)
        placed = self.modality.place(network, device)
        for start in range(0, len(samples), _WINDOW):
            readings = read(samples[start : start + _WINDOW])
            errors |= {start + place: reason for place, reason in readings.errors.items()}
            found.append(self._embedded(placed, readings, device))
            told(min(start + _WINDOW, len(samples)), len(samples))
        return np.concatenate(found) if found else np.empty((0, self.info.num_features), np.float32), errors

    def _embedded(self, network: torch.nn.Module, readings: Readings, device: torch.device) -> np.ndarray:
        count = len(next(iter(readings.columns.values()), ()))
        if not count:
            return np.empty((0, self.info.num_features), np.float32)
        inputs = self.modality.inputs(readings.columns, self.preprocessing, device)
        order = np.arange(count) if inputs.lengths is None else np.argsort(-inputs.lengths, kind="stable")
        found = np.empty((count, self.info.num_features), np.float32)
        with torch.inference_mode():
            for start in range(0, count, _BATCH):
                rows = order[start : start + _BATCH]
                found[rows] = network(inputs.plain(rows)).float().cpu().numpy()
        return found
