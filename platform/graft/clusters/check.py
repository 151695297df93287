"""Whether a cluster file is one that we would start: Ray's own schema first, then our rules; nothing is contacted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.clusters.kuberay_rules import kuberay_violations
from graft.clusters.launcher_rules import launcher_violations
from graft.clusters.schema import KUBERAY_KINDS
from graft.clusters.structure import is_launcher, structure_violations
from graft.clusters.unique_yaml import documents_in
from graft.clusters.violation import Violation
from graft.core.errors import Problem, SpecError

_FORMS = "a file of Ray's launcher (`cluster_name`, `provider`) or manifests of KubeRay (`apiVersion: ray.io/v1`)"


def check_file(path: Path) -> list[Violation]:
    """All that is wrong with a cluster file; empty if nothing is.

    A document that its schema refuses is not held against our rules, which count on its structure. Manifests of other
    kinds beside those of KubeRay are left to `kubectl`.

    Raises:
        SpecError: it cannot be read, is no YAML, or holds neither form.
    """
    documents = read_documents(path)
    launcher = [one for one in documents if is_launcher(one)]
    manifests = [one for one in documents if not is_launcher(one)]
    found = [violation for one in launcher for violation in _check_launcher(one)]
    return found + [violation for one in manifests for violation in _check_manifest(one, len(manifests) > 1)]


def _check_launcher(config: Mapping[str, Any]) -> list[Violation]:
    return structure_violations(config) or list(launcher_violations(config))


def _check_manifest(manifest: Mapping[str, Any], is_named: bool) -> list[Violation]:
    kind = manifest.get("kind")
    found = structure_violations(manifest)
    if not found and kind in KUBERAY_KINDS:
        found = list(kuberay_violations(manifest))
    if not is_named:
        return found
    name = manifest.get("metadata", {}).get("name", "")
    return [Violation(f"{kind}/{name}.{one.key}", one.rule, one.fix) for one in found]


def read_documents(path: Path) -> list[Mapping[str, Any]]:
    """The documents of a cluster file that are the launcher's, or KubeRay's.

    Raises:
        SpecError: it cannot be read, is no YAML, or holds neither form.
    """
    documents = [one for one in documents_in(path, "a cluster file") if isinstance(one, Mapping)]
    found = [one for one in documents if is_launcher(one) or str(one.get("apiVersion", "")).startswith("ray.io/")]
    if not found:
        raise SpecError([Problem("", f"is no cluster file, but must be {_FORMS}", str(path))])
    return found
