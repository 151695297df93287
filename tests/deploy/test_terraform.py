"""The Terraform files: parsed, in Terraform's own format, and held against our rules; nothing of AWS is asked."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.terraform_rules import problems, read

from graft.clusters.make import ClusterSettings, make_cluster_file, settings_of

PLANTED = [
    ("iam.tf", '"s3:GetObject", "s3:PutObject"', '"s3:*", "s3:PutObject"', "allows s3:*"),
    ("iam.tf", '[aws_iam_role.nodes["worker"].arn]', '["*"]', "allows iam:PassRole on everything"),
    ("network.tf", "cidr_ipv4         = each.value", 'cidr_ipv4         = "0.0.0.0/0"', "is open to the internet"),
    ("database.tf", "publicly_accessible    = false", "publicly_accessible    = true", "publicly_accessible is true"),
    ("database.tf", "storage_encrypted     = true", "", "storage_encrypted is None"),
    ("bucket.tf", "block_public_policy     = true", "block_public_policy     = false", "block_public_policy is false"),
    ("outputs.tf", "aws_efs_file_system.home.dns", "aws_efs_file_system.no.dns", "aws_efs_file_system.no is not there"),
    ("variables.tf", 'variable "region"', 'variable "password" {}\nvariable "region"', "is neither a variable"),
]  # fmt: skip


def test_nothing_is_wrong(deploy: Path) -> None:
    module = read(deploy / "terraform")
    assert len(module.resources) > 40
    assert list(problems(module)) == []


@pytest.mark.parametrize(("file", "text", "fault", "told"), PLANTED)
def test_a_planted_fault_is_found(deploy: Path, tmp_path: Path, file: str, text: str, fault: str, told: str) -> None:
    for path in (deploy / "terraform").glob("*.tf"):
        shutil.copy(path, tmp_path)
    source = (tmp_path / file).read_text()
    assert text in source
    (tmp_path / file).write_text(source.replace(text, fault))
    assert [one for one in problems(read(tmp_path)) if told in one]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="no registry of packages has terraform")
def test_they_have_terraforms_own_format(deploy: Path) -> None:
    command = ["terraform", "fmt", "-check", "-diff", str(deploy / "terraform")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_they_make_what_a_cluster_file_names(deploy: Path) -> None:
    module = read(deploy / "terraform")
    cluster = make_cluster_file("aws", settings_of("small", ()))
    profiles = set(re.findall(r"IamInstanceProfile: (?:&worker )?\{Name: ([\w-]+)\}", cluster))
    assert module.resources["aws_iam_role", "nodes"]["for_each"] == '${toset(["head", "worker"])}'
    assert profiles == {f"{ClusterSettings().name}-{kind}" for kind in ("head", "worker")}
    assert {"security_group", "shared"} <= set(module.outputs)
    assert module.variables["name"]["default"] == f'"{ClusterSettings().name}"'
