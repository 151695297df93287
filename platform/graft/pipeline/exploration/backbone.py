"""What a frozen backbone makes of the samples of a pool, read as `graft predict` reads them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graft.data.columns import Ragged
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
class PoolFeatures:
    """Samples as a backbone sees them.

    Attributes:
        features: float32 [n, F] of those that can be read and are no copies, in their order.
        errors: why others cannot be read, by their places.
        copies: the place of the first sample of the same content, by the places of the later ones.
    """

    features: np.ndarray
    errors: dict[int, str]
    copies: dict[int, int] = field(default_factory=dict)


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
        strategy = Strategy(backbone=name, freeze=1.0, **modality.sized(max(modality.sizes(job.reach_of(name)))))
        nothing = np.empty(0)
        empty = Listing("", (), RawTargets(nothing), nothing.astype(np.uint8), "", (), facts=facts)
        storage = modality.storage(empty, job.reach)
        return cls(strategy, info, modality, modality.preprocessing(storage, strategy, info))

    def backbone(self) -> Backbone:
        """With its weights."""
        found = load_backbone(self.strategy.backbone, self.modality.size(self.strategy)).backbone
        return found.eval()

    def features(self, samples: Sequence[Any], scratch: Path, told: OnProgress) -> PoolFeatures:
        """What the backbone makes of samples, each of one content once.

        Args:
            samples: as the modality's reader takes them.
            scratch: directory for files that the reader needs.
            told: how many are done, of how many.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        for name, content in self.modality.bundle_files(self.preprocessing, self.info).items():
            (scratch / name).write_bytes(content)
        read, found, errors = self.modality.reader(self.preprocessing, scratch), list[np.ndarray](), dict[int, str]()
        first, copies = dict[bytes, int](), dict[int, int]()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = self.backbone()
        self.modality.suit(network, device)
        placed = self.modality.place(network, device)
        for start in range(0, len(samples), _WINDOW):
            window = samples[start : start + _WINDOW]
            readings = read(window)
            errors |= {start + place: reason for place, reason in readings.errors.items()}
            places = [start + place for place in range(len(window)) if place not in readings.errors]
            same = {place: first.setdefault(one, place) for place, one in zip(places, _contents(readings), strict=True)}
            copies |= {place: earlier for place, earlier in same.items() if earlier != place}
            found.append(self._embedded(placed, readings, device)[[place not in copies for place in places]])
            told(start + len(window), len(samples))
        features = np.concatenate(found) if found else np.empty((0, self.info.num_features), np.float32)
        return PoolFeatures(features, errors, copies)

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


def _contents(readings: Readings) -> Iterator[bytes]:
    """A digest of each sample that could be read."""
    columns = readings.columns.values()
    for row in range(len(next(iter(columns), ()))):
        parts = (one.row(row) if isinstance(one, Ragged) else one[row] for one in columns)
        yield blake2b(b"".join(np.ascontiguousarray(one).tobytes() for one in parts), digest_size=16).digest()
