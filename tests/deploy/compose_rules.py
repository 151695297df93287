"""What we ask of a compose file, as `docker compose config` has resolved it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

# Services whose ports may be open to other machines: they speak TLS only.
ENCRYPTED = {"proxy"}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY")


def problems(config: Mapping[str, Any], source: str) -> Iterator[str]:
    """What a resolved file, and its text before, break of our rules.

    Args:
        config: as JSON of ``docker compose config``.
        source: the file itself, with its variables.
    """
    services = config["services"]
    for name, service in services.items():
        yield from _service(name, service)
        yield from _ports(name, service)
        yield from _neighbours(name, service, services)
    yield from _secrets(source)
    written = yaml.safe_load(source)  # Compose leaves out what nobody uses
    used = {volume["source"] for one in services.values() for volume in _named(one)}
    yield from (f"volume {name} is used by nobody" for name in sorted(set(written["volumes"]) - used))
    joined = {network for one in services.values() for network in one["networks"]}
    yield from (f"network {name} is used by nobody" for name in sorted(set(written["networks"]) - joined))


def _service(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    tag = service["image"].rsplit("/", 1)[-1].partition(":")[2]
    if not tag or tag == "latest":
        yield f"{name}: image {service['image']} names no version"
    if not service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"):
        yield f"{name}: no limit of memory"
    if "healthcheck" not in service and service.get("restart") != "no":
        yield f"{name}: no healthcheck"
    if service.get("cap_drop") != ["ALL"] or service.get("security_opt") != ["no-new-privileges:true"]:
        yield f"{name}: keeps capabilities, or may get new ones"
    if service.get("privileged") or any("docker.sock" in one["source"] for one in service.get("volumes", ())):
        yield f"{name}: has the rights of the machine"
    command = " ".join(map(str, service.get("command") or ()))
    if "ray start" in command and service.get("environment", {}).get("RAY_AUTH_MODE") != "token":
        yield f"{name}: starts Ray without a token"


def _ports(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    for port in service.get("ports", ()):
        if port.get("host_ip") != "127.0.0.1" and name not in ENCRYPTED:
            yield f"{name}: port {port['published']} is open to other machines"


def _neighbours(name: str, service: Mapping[str, Any], services: Mapping[str, Any]) -> Iterator[str]:
    """Whoever is waited for, or named by an address, is there and on a network in common."""
    text = " ".join([*map(str, service.get("command") or ()), *map(str, service.get("environment", {}).values())])
    named = {host for host in services if re.search(rf"(?<![\w./-]){host}:\d", text)} - {name}
    for other in sorted(named | set(service.get("depends_on", {}))):
        if other not in services:
            yield f"{name}: waits for {other}, which is not there"
        elif not set(service["networks"]) & set(services[other]["networks"]):
            yield f"{name}: cannot reach {other}, which is on no network of its own"


def _secrets(source: str) -> Iterator[str]:
    """A secret is a variable that must be set, never a value."""
    for line in source.splitlines():
        found = re.match(r"\s*(?:- )?([A-Z][A-Z0-9_]*)\s*[:=]\s*(.+)", line)
        if found and SECRET.search(found[1]) and not re.match(r'"?\$\{\w+:\?', found[2]):
            yield f"{found[1]} is not taken from a variable that must be set"


def _named(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [volume for volume in service.get("volumes", ()) if volume["type"] == "volume"]
