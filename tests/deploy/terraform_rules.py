"""What we ask of the Terraform files: every reference leads somewhere, least rights, nothing open, no secret."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

# Of AWS, these actions know no resource (Service Authorization Reference).
_WITHOUT_RESOURCE = re.compile(r"ec2:Describe\w+|ecr:GetAuthorizationToken")
_REFERENCE = re.compile(r"\b(?:(var|local)\.(\w+)|(data\.)?(aws_\w+)\.(\w+))")


@dataclass(frozen=True)
class Module:
    """All files of a folder.

    Attributes:
        text: of all of them.
        resources: ``(type, name)`` -> its body; those of data with ``data.`` before the type.
        variables: name -> its body.
        locals: names.
        outputs: name -> its body.
    """

    text: str
    resources: Mapping[tuple[str, str], Mapping[str, Any]]
    variables: Mapping[str, Mapping[str, Any]]
    locals: frozenset[str]
    outputs: Mapping[str, Mapping[str, Any]]


def read(folder: Path) -> Module:
    """Parse the files of a folder."""
    parsed = [(path.read_text(), hcl2.loads(path.read_text())) for path in sorted(folder.glob("*.tf"))]
    resources = {
        (f"{prefix}{kind.strip(chr(34))}", name.strip('"')): body
        for _, file in parsed
        for block, prefix in (("resource", ""), ("data", "data."))
        for one in file.get(block, ())
        for kind, named in one.items()
        for name, body in named.items()
    }
    return Module(
        "\n".join(text for text, _ in parsed),
        resources,
        _named(parsed, "variable"),
        frozenset(name for _, file in parsed for one in file.get("locals", ()) for name in one if name[0] != "_"),
        _named(parsed, "output"),
    )


def problems(module: Module) -> Iterator[str]:
    """What the files break of our rules."""
    yield from _references(module)
    yield from _rights(module)
    yield from _openings(module)
    for (kind, name), body in module.resources.items():
        yield from (f"{kind}.{name}: {told}" for told in _kept_safe(kind, body))
    for name, body in {**module.variables, **module.outputs}.items():
        if re.search(r"password|secret|token", name) and name != "database_secret":
            yield f"{name}: a secret is neither a variable nor an output: the state would hold it ({body.get('type')})"


def _named(parsed: Any, block: str) -> dict[str, Mapping[str, Any]]:
    return {name.strip('"'): body for _, file in parsed for one in file.get(block, ()) for name, body in one.items()}


def _references(module: Module) -> Iterator[str]:
    text = re.sub(r"#.*", "", module.text)
    used = set()
    for space, name, data, kind, label in _REFERENCE.findall(text):
        if space:
            used.add((space, name))
            if name not in (module.variables if space == "var" else module.locals):
                yield f"{space}.{name} is not there"
        elif (f"{data}{kind}", label) not in module.resources:
            yield f"{data}{kind}.{label} is not there"
    yield from (f"var.{name} is used by nobody" for name in module.variables if ("var", name) not in used)


def _rights(module: Module) -> Iterator[str]:
    for (kind, name), body in module.resources.items():
        if kind != "data.aws_iam_policy_document":
            continue
        for statement in body["statement"]:
            if statement.get("effect") == '"Deny"':
                continue
            actions = [action.strip('"') for action in statement["actions"]]
            if any(re.search(r"^\*|:\*$", action) for action in actions):
                yield f"{kind}.{name}: allows {', '.join(actions)}"
            narrow = [action for action in actions if not _WITHOUT_RESOURCE.fullmatch(action)]
            if '"*"' in statement.get("resources", ()) and narrow:
                yield f"{kind}.{name}: allows {', '.join(narrow)} on everything"


def _openings(module: Module) -> Iterator[str]:
    for (kind, name), body in module.resources.items():
        everybody = "0.0.0.0/0" in str(body) or "::/0" in str(body)
        if everybody and "ingress" in kind:
            yield f"{kind}.{name}: is open to the internet"
        if kind == "aws_security_group" and ("ingress" in body or "egress" in body):
            yield f"{kind}.{name}: has rules inside; a rule is a resource of its own"


def _kept_safe(kind: str, body: Mapping[str, Any]) -> Iterator[str]:
    wanted: Mapping[str, Mapping[str, str]] = {
        "aws_db_instance": {
            "storage_encrypted": "true",
            "publicly_accessible": "false",
            "manage_master_user_password": "true",
        },
        "aws_efs_file_system": {"encrypted": "true"},
        "aws_s3_bucket_public_access_block": dict.fromkeys(
            ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), "true"
        ),
        "aws_ecr_repository": {"image_tag_mutability": '"IMMUTABLE"'},
        "aws_subnet": {},
    }
    for key, value in wanted.get(kind, {}).items():
        found = str(body.get(key)).replace("True", "true").replace("False", "false")
        if found != value:
            yield f"{key} is {found}, but must be {value}"
    if kind == "aws_db_instance" and int(body.get("backup_retention_period", 0)) < 7:
        yield "backups are kept for less than a week"
