"""A Ray of the benchmark's own, on this machine, that finds the benchmark's modules in its workers."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graft.pipeline.ray_session import ClusterResources, ray_session


@contextmanager
def own_ray() -> Iterator[ClusterResources]:
    """graft's session, whatever cluster RAY_ADDRESS names; its workers can import what lies beside this file."""
    os.environ.pop("RAY_ADDRESS", None)
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    # Tune complains that the files are missing which a search of graft does not want from it.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with ray_session() as resources:
        yield resources
