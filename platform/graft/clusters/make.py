"""Writes a cluster file for a provider and a size."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from importlib.resources import files

from graft.clusters.homes import home_violation
from graft.core.errors import Problem, SpecError
from graft.core.uris import scheme_of
from graft.spec.service import IMPORT_PATH

_MOUNTED = "/shared/"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_SECURITY_GROUP = re.compile(r"sg-[0-9a-f]+")
# The values come into YAML, and there into commands of a shell.
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9._:/@+=,-]*")
_CONDITION = re.compile(r"\s*#if (\w+)$")

PROVIDERS = ("aws", "gcp", "azure", "on_premise", "kuberay")
SERVICE = "kuberay_service"
"""A cluster that runs no jobs, but answers with a model."""


@dataclass(frozen=True)
class Size:
    """How many nodes of a kind there may be, beside the head.

    Attributes:
        data: with CPUs alone.
        gpu: with a GPU, on demand.
        spot: with a GPU that the cloud may take away.
    """

    data: int
    gpu: int
    spot: int

    @property
    def workers(self) -> int:
        """Of all kinds."""
        return self.data + self.gpu + self.spot


SIZES = {"small": Size(1, 1, 2), "medium": Size(2, 4, 8), "large": Size(8, 16, 48)}


@dataclass(frozen=True)
class ClusterSettings:
    """What the user says of a cluster.

    Attributes:
        name: of the cluster, and of what belongs to it.
        size: a key of `SIZES`.
        container: reference of the image of every node.
        allow: network that may come in by SSH, as CIDR.
        home: of all nodes: below ``/shared``, which is mounted, or in a store.
        shared: where the home is mounted from: a host, or a share, as the provider writes it.
        project: of Google Cloud.
        security_group: of all nodes on AWS.
        model: that a service answers with.
    """

    name: str = "graft"
    size: str = "medium"
    container: str = "graft:0.1.0"
    allow: str = "10.0.0.0/8"
    home: str = "/shared/graft"
    shared: str = "files.internal"
    project: str = "graft"
    security_group: str = "sg-00000000000000000"
    model: str = "models:/digits/1"


def settings_of(size: str, changes: Iterable[str]) -> ClusterSettings:
    """Settings of a size, with some ``key=value``.

    Raises:
        SpecError: a key is not known, or has no value; all of them at once.
    """
    known = [one.name for one in fields(ClusterSettings) if one.name != "size"]
    pairs = [change.partition("=") for change in changes]
    problems = [
        Problem("", f"--set is `{key}{equals}{value}`, but must be KEY=VALUE with one of {', '.join(known)}")
        for key, equals, value in pairs
        if key not in known or not value.strip()
    ]
    if problems:
        raise SpecError(problems)
    return replace(ClusterSettings(size=size), **{key: value for key, _, value in pairs})


def make_cluster_file(provider: str, settings: ClusterSettings) -> str:
    """The text of a cluster file: YAML with comments that say how to go on.

    Raises:
        SpecError: the provider or the size is not known, no home can be there, or a setting cannot be what it is.
    """
    known = {"provider": (provider, (*PROVIDERS, SERVICE)), "size": (settings.size, tuple(SIZES))}
    problems = [
        Problem("", f"{what} is `{value}`, but must be one of {', '.join(names)}; name one of them")
        for what, (value, names) in known.items()
        if value not in names
    ]
    problems += _home_problems(settings.home) or _value_problems(settings)
    if problems:
        raise SpecError(problems)
    size = SIZES[settings.size]
    values = {
        "SIZE": settings.size,
        "NAME": settings.name,
        "IMAGE": settings.container,
        "ALLOW": settings.allow,
        "HOME": settings.home,
        "SHARED": settings.shared,
        "PROJECT": settings.project,
        "SECURITY_GROUP": settings.security_group,
        "MODEL": settings.model,
        "IMPORT_PATH": IMPORT_PATH,
        "MAX_WORKERS": size.workers,
        "MAX_DATA": size.data,
        "MAX_GPU": size.gpu,
        "MAX_SPOT": size.spot,
    }
    template = files("graft.clusters.templates").joinpath(f"{provider}.yaml").read_text(encoding="utf-8")
    text = _suited(template, "store" if scheme_of(settings.home) else "mounted")
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def _home_problems(home: str) -> list[Problem]:
    if scheme_of(home):
        wrong = home_violation("home", home)
        return [] if wrong is None else [Problem("", str(wrong))]
    if home.startswith(_MOUNTED) and ".." not in home.split("/"):
        return []
    told = f"home: is {home}, but must be a path below {_MOUNTED}, which is what nodes mount, or the address of a store"
    return [Problem("", f"{told}; write {_MOUNTED}graft")]


def _value_problems(settings: ClusterSettings) -> list[Problem]:
    rules = [
        ("name", _NAME, "have at most 40 lower-case letters, digits and `-`, and begin with a letter"),
        ("security_group", _SECURITY_GROUP, "be the id of one, such as sg-0123456789abcdef0"),
    ]
    plain = ("container", "home", "shared", "project", "model")
    rules += [(key, _PLAIN, "have letters, digits and ._:/@+=,- alone") for key in plain]
    found = [
        Problem("", f"{key} is `{value}`, but must {rule}; correct it")
        for key, form, rule in rules
        if not form.fullmatch(value := getattr(settings, key))
    ]
    if not _is_network(settings.allow):
        told = f"allow is `{settings.allow}`, but must be a network that is not the whole internet, as CIDR"
        found.append(Problem("", f"{told}; write yours, such as 10.0.0.0/8"))
    return found


def _is_network(text: str) -> bool:
    try:
        return ipaddress.ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _suited(template: str, kind: str) -> str:
    """The lines of a template that are for every kind of home, or for this one."""
    kept = []
    for line in template.splitlines():
        condition = _CONDITION.search(line)
        if condition is None or condition[1] == kind:
            kept.append(_CONDITION.sub("", line))
    return "\n".join(kept) + "\n"
