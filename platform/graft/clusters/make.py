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
_SUBNETS = re.compile(r"(subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*)?")
_AMI = re.compile(r"ami-[0-9a-f]+")
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The values come into YAML, and there into commands of a shell.
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9._:/@+=,-]*")
# Of AWS, Google Cloud and Azure.
_REGISTRIES = (
    re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com"),
    re.compile(r"[a-z0-9-]+-docker\.pkg\.dev"),
    re.compile(r"(?P<name>[a-z0-9]+)\.azurecr\.io"),
)
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
        subnets: of all nodes on AWS, with commas between them; empty leaves them to Ray.
        ami: image of machines on AWS.
        subscription: of Azure.
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
    subnets: str = ""
    ami: str = "ami-00000000000000000"
    subscription: str = "00000000-0000-0000-0000-000000000000"
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
        "SUBNETS": ", ".join(settings.subnets.split(",")),
        "AMI": settings.ami,
        "SUBSCRIPTION": settings.subscription,
        "MODEL": settings.model,
        "IMPORT_PATH": IMPORT_PATH,
        "MAX_WORKERS": size.workers,
        "MAX_DATA": size.data,
        "MAX_GPU": size.gpu,
        "MAX_SPOT": size.spot,
    }
    template = files("graft.clusters.templates").joinpath(f"{provider}.yaml").read_text(encoding="utf-8")
    login = _login_of(settings.container)
    text = _suited(template, _conditions(settings, bool(login)))
    for name, value in {**values, **login}.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def _conditions(settings: ClusterSettings, has_login: bool) -> set[str]:
    found = {"store" if scheme_of(settings.home) else "mounted"}
    found |= {name for name, holds in (("login", has_login), ("subnets", bool(settings.subnets))) if holds}
    found |= {"commands"} if found & {"mounted", "login"} else set()
    return found | ({"account"} if found & {"store", "login"} else set())


def _login_of(container: str) -> dict[str, str]:
    """What a node has to say to pull from a private registry of its cloud; empty for other registries."""
    registry = container.partition("/")[0]
    for form in _REGISTRIES:
        if found := form.fullmatch(registry):
            return {"REGISTRY": found["name"] if "name" in found.groupdict() else registry, **_region(found)}
    return {}


def _region(found: re.Match[str]) -> dict[str, str]:
    return {"LOGIN_REGION": found["region"]} if "region" in found.groupdict() else {}


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
        ("subnets", _SUBNETS, "be ids with commas between them, such as subnet-0123,subnet-4567"),
        ("ami", _AMI, "be the id of an image, such as ami-0123456789abcdef0"),
        ("subscription", _SUBSCRIPTION, "be the id of one, such as 01234567-89ab-cdef-0123-456789abcdef"),
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


def _suited(template: str, holding: set[str]) -> str:
    """The lines of a template that are for every cluster, or for one of which these conditions hold."""
    kept = []
    for line in template.splitlines():
        condition = _CONDITION.search(line)
        if condition is None or condition[1] in holding:
            kept.append(_CONDITION.sub("", line))
    return "\n".join(kept) + "\n"
