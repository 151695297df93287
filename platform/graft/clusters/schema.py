"""Ray's own schemas of cluster files: what they refuse, as violations."""

import gzip
import importlib.util
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from graft.clusters.violation import Violation, advice
from graft.core.errors import ArtifactError

KUBERAY_KINDS = ("RayCluster", "RayJob", "RayService")


@cache
def launcher_schema() -> Mapping[str, Any]:
    """The schema of the installed Ray (2.60: ``ray/autoscaler/ray-schema.json``); Ray itself is not imported.

    Raises:
        ArtifactError: this installation of Ray lacks it.
    """
    found = importlib.util.find_spec("ray")
    folder = Path(found.origin).parent if found is not None and found.origin else Path()
    file = folder / "autoscaler" / "ray-schema.json"
    if not file.is_file():
        raise ArtifactError(f"{file} is not there, but is what cluster files are checked by; install ray again")
    schema: Mapping[str, Any] = json.loads(file.read_text())
    return schema


@cache
def kuberay_schema(kind: str) -> Mapping[str, Any]:
    """The schema of a KubeRay resource of ``ray.io/v1``: the structure of its custom resource definition, without its
    descriptions, and strict: a key that it does not name is refused, as ``kubectl --validate=strict`` does.
    """
    packed = files("graft.clusters").joinpath("kuberay.json.gz").read_bytes()
    schema: Mapping[str, Any] = json.loads(gzip.decompress(packed))[kind]
    return schema


def schema_violations(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Violation]:
    """What a schema refuses in a document, in the order of the document's keys."""
    from jsonschema import Draft7Validator

    errors = Draft7Validator(schema).iter_errors(document)
    for error in sorted(errors, key=lambda one: [str(part) for part in one.absolute_path]):
        yield from _told(error)


def _told(error: Any) -> Iterator[Violation]:
    path = [str(part) for part in error.absolute_path]
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for name in sorted(set(error.instance) - set(known), key=str):
                yield Violation(_dotted([*path, str(name)]), "is no key that is known here", advice(str(name), known))
        case "required":
            for name in sorted(set(error.validator_value) - set(error.instance)):
                yield Violation(_dotted([*path, name]), "is missing", "say it")
        case "type":
            wanted = error.validator_value
            wanted = wanted if isinstance(wanted, str) else " or ".join(map(str, wanted))
            yield Violation(
                _dotted(path), f"is {shown(error.instance)}, but must be of type {wanted}", _retyped(wanted)
            )
        case "enum":
            yield Violation(
                _dotted(path),
                f"is {shown(error.instance)}, but must be one of {', '.join(map(str, error.validator_value))}",
                "name one of them",
            )
        case "pattern" if "description" in error.schema:
            told = f"is {shown(error.instance)}, but must be {error.schema['description']}"
            yield Violation(_dotted(path), told, "correct it")
        case _:
            yield Violation(_dotted(path), f"is {shown(error.instance)}, but {error.message}", "change it")


def _retyped(wanted: str) -> str:
    return 'write it in quotes, as in "0"' if wanted == "string" else f"write a value of type {wanted}"


def _dotted(path: list[str]) -> str:
    return ".".join(path) or "the document"


def shown(value: Any) -> str:
    """A value as JSON, short enough for a line."""
    text = json.dumps(value, default=str)
    return f"`{text if len(text) <= 60 else text[:57] + '…'}`"
