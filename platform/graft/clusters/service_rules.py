"""Our rules for a RayService: it serves an application that can be read, and every replica has the same model."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from graft.clusters.violation import Violation
from graft.core.errors import SpecError
from graft.spec.service import IMPORT_PATH, parse_service
from graft.tracking.model_uri import SCHEME, ModelUri

_KEY = "spec.serveConfigV2"


def service_violations(manifest: Mapping[str, Any]) -> Iterator[Violation]:
    """What our rules refuse in what a RayService serves; applications that are not graft's are left to Ray."""
    text = manifest.get("spec", {}).get("serveConfigV2", "")
    applications = _applications(text)
    if not applications:
        told = "is missing" if not text.strip() else "names no application, but must be a configuration of Ray Serve"
        yield Violation(_KEY, told, "write what `graft serve MODEL --config` prints")
    for at, one in enumerate(applications):
        if one.get("import_path") == IMPORT_PATH:
            yield from _arguments(f"{_KEY}.applications.{at}.args", one.get("args") or {})


def _applications(text: str) -> list[Mapping[str, Any]]:
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError:
        return []
    found = config.get("applications") if isinstance(config, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _arguments(key: str, args: Mapping[str, Any]) -> Iterator[Violation]:
    try:
        service = parse_service(args)
        uri = ModelUri.parse(service.model) if service.model.startswith(SCHEME) else None
    except SpecError as error:
        for problem in error.problems:
            rule, _, fix = problem.message.rpartition("; ")
            place = f"{key}.{problem.where}" if problem.where else f"{key}.model"
            yield Violation(place, rule or fix, fix if rule else "change it")
        return
    if uri is not None and uri.version is None:
        told = f"is {service.model}, but must name a version: a replica that starts later could have another"
        yield Violation(f"{key}.model", told, f"write its number, as in {SCHEME}{uri.name}/3")
