"""Ingests the data, once for all variants: ``python -m nesting.prepare REQUEST.json DIRECTORY.txt``."""

import json
import sys
from pathlib import Path

from nesting.request import Request

from graft.core.storage import Home
from graft.data.ingest import ingest
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.ingest import ingestion_of


def main() -> None:
    """Write the directory of the dataset into the file."""
    asked, answered = (Path(argument) for argument in sys.argv[1:3])
    request = Request(**json.loads(asked.read_text()))
    job = request.job()
    with ray_session():
        dataset = ingest(ingestion_of(job), Home.find(Path(request.work) / "home").datasets)
    answered.write_text(str(dataset.directory))


if __name__ == "__main__":
    main()
