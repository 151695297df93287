"""graft adapts pretrained models to your own data, automatically, on a laptop or a Ray cluster.

import graft
result = graft.run("jobs/digits.yaml")
result.predict("photo.png")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graft.api import features, frame, load, run
    from graft.core.errors import (
        ArtifactError,
        DataError,
        GraftError,
        Interrupted,
        ResourceError,
        SpecError,
        TrackingError,
    )
    from graft.experiments.result import Result
    from graft.pipeline.run import RunOptions
    from graft.serving.evaluation import Evaluation
    from graft.serving.prediction import Prediction
    from graft.serving.predictor import Predictor
    from graft.spec.job import Job

    __version__: str

# Where each public name is; `import graft` must stay light: the command line answers `--help` in well under a second.
_PUBLIC = {
    "features": "graft.api",
    "frame": "graft.api",
    "load": "graft.api",
    "run": "graft.api",
    "Evaluation": "graft.serving.evaluation",
    "Job": "graft.spec.job",
    "Prediction": "graft.serving.prediction",
    "Predictor": "graft.serving.predictor",
    "Result": "graft.experiments.result",
    "RunOptions": "graft.pipeline.run",
    "ArtifactError": "graft.core.errors",
    "DataError": "graft.core.errors",
    "GraftError": "graft.core.errors",
    "Interrupted": "graft.core.errors",
    "ResourceError": "graft.core.errors",
    "SpecError": "graft.core.errors",
    "TrackingError": "graft.core.errors",
}

__all__ = [
    "ArtifactError",
    "DataError",
    "Evaluation",
    "GraftError",
    "Interrupted",
    "Job",
    "Prediction",
    "Predictor",
    "ResourceError",
    "Result",
    "RunOptions",
    "SpecError",
    "TrackingError",
    "__version__",
    "features",
    "frame",
    "load",
    "run",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("graft")
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'graft' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
