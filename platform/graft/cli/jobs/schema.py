"""`graft schema`: the JSON Schema of job files, for editors."""

import json

from graft.cli.output.tell import tell


def command() -> None:
    """Print the JSON Schema of job files; editors complete and check job files with it."""
    from graft.spec.schema import job_schema

    tell(*json.dumps(job_schema(), indent=2).splitlines())
