"""Our rules for a file of `ray up`: safe, cheap when idle, and nothing lost with a spot node."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from graft.clusters.homes import home_violation, path_on_nodes
from graft.clusters.violation import Violation, is_pinned

LONGEST_IDLE_MINUTES = 30
# Bits that the network of whoever may come in must have at least: /1 twice is the whole internet, too.
_NARROWEST = {4: 8, 6: 16}
_TOKEN_FILE = ".ray/auth_token"
_LITERAL_TOKEN = re.compile(r"RAY_AUTH_TOKEN=(?!\$)\S")
_SECRET = re.compile(
    r"\b(AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|MLFLOW_TRACKING_PASSWORD|AZURE_CLIENT_SECRET|"
    r"AZURE_STORAGE_(KEY|ACCOUNT_KEY|SAS_TOKEN|CONNECTION_STRING))=(?!\$)\S"
)
_OPEN_DASHBOARD = re.compile(r"--dashboard-host[= ][\"']?(0\.0\.0\.0|::)")
_MODE = re.compile(r"\bRAY_AUTH_MODE=[\"']?(\w*)")
_ROOT = re.compile(r"(?:--user|-u)[= ](?:root|0)\b")
_HOME = re.compile(r"GRAFT_HOME=[\"']?([^\s\"']+)")
_COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)

Config = Mapping[str, Any]


def launcher_violations(config: Config) -> Iterator[Violation]:
    """What our rules refuse in a launcher file whose structure Ray's schema has accepted."""
    yield from _token(config)
    yield from _starts(config)
    yield from _secrets(config)
    yield from _nobody_from_outside(config)
    yield from _scaling(config)
    yield from _head(config)
    yield from _one_home(config)
    yield from _spot(config)
    yield from _container(config)


def _token(config: Config) -> Iterator[Violation]:
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [(at, one) for at, one in enumerate(config.get(key, ())) if "ray start" in one]
        if not starts:
            yield Violation(key, "has no `ray start`, but Ray's own commands start without a token", "write them out")
        for at, command in starts:
            modes = _MODE.findall(command.partition("ray start")[0])
            if modes[-1:] != ["token"]:
                told = "starts Ray without a token, but whoever reaches its port could run code then"
                yield Violation(f"{key}.{at}", told, "put `RAY_AUTH_MODE=token` before `ray start`")
    mounts = config.get("file_mounts", {})
    if not any(_TOKEN_FILE in target for target in mounts) and not _mentions(config, "RAY_AUTH_TOKEN_PATH="):
        told = "brings no token to the nodes, but all of them must have the same"
        yield Violation("file_mounts", told, "mount yours: `~/.ray/auth_token: ~/.ray/auth_token`")


def _starts(config: Config) -> Iterator[Violation]:
    """Nodes that do not find each other, and a head that never asks for any."""
    wanted = [
        ("head_start_ray_commands", "--head", "is no head"),
        ("worker_start_ray_commands", "--address", "joins no head"),
    ]
    if config["provider"]["type"] != "local":
        wanted.append(("head_start_ray_commands", "--autoscaling-config", "never asks for a node"))
    for key, option, told in wanted:
        starts = [one for one in config.get(key, ()) if "ray start" in one]
        if starts and not any(option in one for one in starts):
            yield Violation(key, f"has no `{option}`, so what it starts {told}", "add it to `ray start`")


def _one_home(config: Config) -> Iterator[Violation]:
    homes = list(dict.fromkeys(_homes(config)))
    yield from filter(None, (home_violation("GRAFT_HOME", home) for home in homes))
    if len(homes) > 1 and homes == _sound_homes(config):
        told = f"is {' and '.join(homes)}, but must be one for all nodes: what one writes, the others have to find"
        yield Violation("GRAFT_HOME", told, "write the same before every `ray start`")


def _secrets(config: Config) -> Iterator[Violation]:
    commands = [(f"{key}.{at}", command) for key, at, command in _commands(config)]
    for key, command in [*commands, *_run_options(config)]:
        if _LITERAL_TOKEN.search(command) or _SECRET.search(command):
            told = "holds a secret, but the file is copied to every node and kept by your version control"
            yield Violation(key, told, "take it from a mounted file, an instance role, or `$VARIABLE`")


def _nobody_from_outside(config: Config) -> Iterator[Violation]:
    if config.get("provider", {}).get("type") == "aws":
        for name, node in config.get("available_node_types", {}).items():
            if not node["node_config"].get("SecurityGroupIds"):
                # Ray 2.60, autoscaler/_private/aws/config.py: its own rules come beside provider.security_group's.
                told = "is missing, but a group that Ray makes lets the whole internet in by SSH"
                key = f"available_node_types.{name}.node_config.SecurityGroupIds"
                yield Violation(key, told, "name a group of yours, in which nodes reach each other")
    permissions = config.get("provider", {}).get("security_group", {}).get("IpPermissions") or ()
    for at, permission in enumerate(permissions):
        ranges = [*permission.get("IpRanges", ()), *permission.get("Ipv6Ranges", ())]
        for address in (one.get("CidrIp") or one.get("CidrIpv6") for one in ranges):
            key = f"provider.security_group.IpPermissions.{at}"
            if _is_anywhere(str(address)):
                yield Violation(key, f"is open to {address}, but must name who may come in", "name your network")
    for key, at, command in _commands(config):
        if _OPEN_DASHBOARD.search(command):
            told = "shows the dashboard and the Jobs API on every address of the node"
            yield Violation(
                f"{key}.{at}", told, "leave --dashboard-host out and come in by `ray dashboard` or an SSH tunnel"
            )


def _is_anywhere(address: str) -> bool:
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return True
    return network.prefixlen < _NARROWEST[network.version]


def _scaling(config: Config) -> Iterator[Violation]:
    if config.get("idle_timeout_minutes", 5) > LONGEST_IDLE_MINUTES:
        value = config["idle_timeout_minutes"]
        told = f"is {value}, but must be at most {LONGEST_IDLE_MINUTES}: idle nodes are paid for"
        yield Violation("idle_timeout_minutes", told, "write 5")
    if "max_workers" not in config:
        yield Violation("max_workers", "is missing, but bounds what the cluster can cost", "write the most nodes")
    for name, node in _workers(config).items():
        if node.get("min_workers", 0) > 0 and config.get("provider", {}).get("type") != "local":
            told = f"is {node['min_workers']}, but must be 0: nodes come when trials ask for them"
            yield Violation(f"available_node_types.{name}.min_workers", told, "write 0")
        if node.get("max_workers", 0) > config.get("max_workers", node.get("max_workers", 0)):
            told = f"is {node['max_workers']}, but the cluster may have {config['max_workers']} nodes"
            yield Violation(f"available_node_types.{name}.max_workers", told, "raise max_workers or lower this")


def _head(config: Config) -> Iterator[Violation]:
    name = config.get("head_node_type", "")
    types = config.get("available_node_types", {})
    if not types:
        if config.get("provider", {}).get("type") != "local":  # whose machines are all of one kind, which Ray writes
            told = (
                "names no kind of node, so Ray takes its own: without a bound on what they cost and who may reach them"
            )
            yield Violation(
                "available_node_types", told, "write out the head's and the workers'; `graft cluster make` does"
            )
        return
    if name not in types:
        known = ", ".join(types)
        yield Violation("head_node_type", f"is `{name}`, but must be one of {known}", "name one of them")
        return
    resources = types.get(name, {}).get("resources", {})
    if resources.get("CPU") != 0:
        told = "gives the head's CPUs to trials, but a trial that takes its memory takes the cluster with it"
        yield Violation(f"available_node_types.{name}.resources.CPU", told, "write `CPU: 0`")
    if not resources.get("safe"):
        told = "has no `safe`, but drivers of jobs are placed by it, on a node that is not taken away"
        yield Violation(f"available_node_types.{name}.resources.safe", told, "write `safe: 16`")
    if resources.get("GPU"):
        told = f"is {resources['GPU']}, but a GPU in the head is paid for all the time"
        yield Violation(f"available_node_types.{name}.resources.GPU", told, "leave it out")


def _spot(config: Config) -> Iterator[Violation]:
    spot = [name for name, node in _workers(config).items() if is_spot(node)]
    for name in spot:
        if config["available_node_types"][name].get("labels", {}).get("ray.io/market-type") != "spot":
            key = f"available_node_types.{name}.labels"
            yield Violation(key, "has no `ray.io/market-type: spot`", "add it: placement goes by labels")
    for name, node in _workers(config).items():
        if name not in spot and node.get("labels", {}).get("ray.io/market-type") == "spot":
            told = "says `ray.io/market-type: spot`, but node_config asks for machines on demand, at their price"
            yield Violation(f"available_node_types.{name}.labels", told, "ask for spot machines, or say `on-demand`")
    if not spot:
        return
    homes = _homes(config)
    if not homes:
        told = "is nowhere set, but a spot node takes its disk with it: checkpoints must lie on shared storage"
        yield Violation("GRAFT_HOME", told, "set it before `ray start` to a path that all nodes mount, or to a store")
    for home in _sound_homes(config):
        if _outlives_a_node(home, config):
            continue
        told = f"is {home}, but no command mounts it: a spot node takes its own disk with it"
        fix = "mount shared storage there in initialization_commands or setup_commands, or name a store"
        yield Violation("GRAFT_HOME", told, fix)


def _container(config: Config) -> Iterator[Violation]:
    dockers = {"docker": config.get("docker") or {}}
    for name, node in config.get("available_node_types", {}).items():
        dockers[f"available_node_types.{name}.docker"] = node.get("docker") or {}
    for place, docker in dockers.items():
        for key in ("image", "head_image", "worker_image"):
            reference = docker.get(key)
            if reference is not None and not is_pinned(reference):
                told = f"is `{reference}`, but must name a version: nodes that join later would have another"
                yield Violation(f"{place}.{key}", told, "name a tag or a digest")
    yield from _options(config)


def _options(config: Config) -> Iterator[Violation]:
    """Of the containers: no rights of the node's, and the home is in them."""
    options = list(_run_options(config))
    for key, option in options:
        if "--privileged" in option or _ROOT.search(option):
            told = f"has `{option}`, but a pickled task has all rights of its container"
            yield Violation(key, told, "leave it out")
    homes = [home for home in _sound_homes(config) if _outlives_a_node(home, config)]
    for root in dict.fromkeys(_root(path) for path in map(path_on_nodes, homes) if path):
        if "docker" in config and not any(root in option for _, option in options):
            told = f"brings no {root} into the container, so what is written to GRAFT_HOME ends with it"
            yield Violation("docker.run_options", told, f"add `-v {root}:{root}`")


def _run_options(config: Config) -> Iterator[tuple[str, str]]:
    for key in ("run_options", "head_run_options", "worker_run_options"):
        for at, option in enumerate((config.get("docker") or {}).get(key) or ()):
            yield f"docker.{key}.{at}", str(option)


def is_spot(node: Config) -> bool:
    """Whether the cloud may take a node of this type away: as AWS, Google Cloud and Azure write it."""
    own = node.get("node_config", {})
    scheduling = own.get("scheduling", {})
    return (
        own.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        or any(
            bool(one.get("preemptible")) or one.get("provisioningModel") == "SPOT"
            for one in (scheduling if isinstance(scheduling, list) else [scheduling])
        )
        or own.get("azure_arm_parameters", {}).get("priority") == "Spot"
    )


def has_mounted_home(config: Config) -> bool:
    """Whether GRAFT_HOME of a cluster outlives its nodes: in a store, or where a command mounts something."""
    homes = _homes(config)
    return bool(homes) and all(_outlives_a_node(home, config) for home in homes)


def _homes(config: Config) -> list[str]:
    return [found[1] for _, _, command in _commands(config) for found in _HOME.finditer(command)]


def _sound_homes(config: Config) -> list[str]:
    """Each once, without those that none can be at."""
    return [home for home in dict.fromkeys(_homes(config)) if home_violation("GRAFT_HOME", home) is None]


def _outlives_a_node(home: str, config: Config) -> bool:
    path = path_on_nodes(home)
    return not path or any("mount" in command and _root(path) in command for _, _, command in _commands(config))


def _workers(config: Config) -> dict[str, Config]:
    types = config.get("available_node_types", {})
    return {name: node for name, node in types.items() if name != config.get("head_node_type")}


def _commands(config: Config) -> Iterator[tuple[str, int, str]]:
    for key in _COMMANDS:
        for at, command in enumerate(config.get(key) or ()):
            yield key, at, command
    for name, node in config.get("available_node_types", {}).items():
        for key in ("initialization_commands", "worker_setup_commands"):
            for at, command in enumerate(node.get(key) or ()):
                yield f"available_node_types.{name}.{key}", at, command


def _mentions(config: Config, text: str) -> bool:
    return any(text in command for _, _, command in _commands(config))


def _root(home: str) -> str:
    """The folder at the top of a path: what a mount command names."""
    return "/" + home.lstrip("/").split("/", 1)[0]
