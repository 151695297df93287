# What the nodes may do: the head starts and stops nodes of this cluster, all read and write the bucket and pull images.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "nodes" {
  for_each = toset(["head", "worker"])

  name               = "${var.name}-${each.value}"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

# The names that a cluster file gives: IamInstanceProfile: {Name: graft-head} and {Name: graft-worker}.
resource "aws_iam_instance_profile" "nodes" {
  for_each = aws_iam_role.nodes

  name = each.value.name
  role = each.value.name
}

data "aws_iam_policy_document" "data" {
  statement {
    sid       = "ListTheBucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.main.arn]
  }

  statement {
    sid       = "ReadAndWriteIt"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.main.arn}/*"]
  }

  statement {
    sid       = "LogInToTheRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # this action knows no resource
  }

  statement {
    sid       = "PullImages"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [for repository in aws_ecr_repository.main : repository.arn]
  }
}

resource "aws_iam_role_policy" "data" {
  for_each = aws_iam_role.nodes

  name   = "data"
  role   = each.value.id
  policy = data.aws_iam_policy_document.data.json
}

# Ray's autoscaler, on the head alone. It starts nodes in this network and group, as this cluster's; it stops no others.
data "aws_iam_policy_document" "autoscaler" {
  statement {
    sid       = "Look"
    actions   = ["ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeImages", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeKeyPairs", "ec2:DescribeVpcs"]
    resources = ["*"] # these actions know no resource
  }

  statement {
    sid       = "StartInstancesOfThisCluster"
    actions   = ["ec2:RunInstances"]
    resources = ["arn:aws:ec2:${var.region}:${data.aws_caller_identity.here.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/ray-cluster-name"
      values   = [var.name]
    }
  }

  statement {
    sid     = "StartThemHere"
    actions = ["ec2:RunInstances"]
    resources = concat(
      [for subnet in aws_subnet.private : subnet.arn],
      [aws_security_group.nodes.arn],
      [for kind in ["volume", "network-interface", "key-pair", "spot-instances-request"] : "arn:aws:ec2:${var.region}:${data.aws_caller_identity.here.account_id}:${kind}/*"],
      ["arn:aws:ec2:${var.region}::image/*"],
    )
  }

  statement {
    sid       = "TagWhatIsStarted"
    actions   = ["ec2:CreateTags"]
    resources = ["arn:aws:ec2:${var.region}:${data.aws_caller_identity.here.account_id}:*/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances"]
    }
  }

  statement {
    sid       = "StopThoseOfThisCluster"
    actions   = ["ec2:TerminateInstances", "ec2:StopInstances", "ec2:StartInstances", "ec2:CreateTags"]
    resources = ["arn:aws:ec2:${var.region}:${data.aws_caller_identity.here.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:ResourceTag/ray-cluster-name"
      values   = [var.name]
    }
  }

  statement {
    sid       = "GiveWorkersTheirRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.nodes["worker"].arn]
  }

  statement {
    sid       = "NameTheirProfile"
    actions   = ["iam:GetInstanceProfile"]
    resources = [for profile in aws_iam_instance_profile.nodes : profile.arn]
  }
}

resource "aws_iam_role_policy" "autoscaler" {
  name   = "autoscaler"
  role   = aws_iam_role.nodes["head"].id
  policy = data.aws_iam_policy_document.autoscaler.json
}

# The server of MLflow, where it runs on a node with this role: the database's password, and nothing else of the store.
data "aws_iam_policy_document" "mlflow" {
  statement {
    sid       = "PasswordOfTheDatabase"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_db_instance.main.master_user_secret[0].secret_arn]
  }
}

resource "aws_iam_role" "mlflow" {
  name               = "${var.name}-mlflow"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_instance_profile" "mlflow" {
  name = aws_iam_role.mlflow.name
  role = aws_iam_role.mlflow.name
}

resource "aws_iam_role_policy" "mlflow" {
  name   = "database"
  role   = aws_iam_role.mlflow.id
  policy = data.aws_iam_policy_document.mlflow.json
}

resource "aws_iam_role_policy" "mlflow_data" {
  name   = "data"
  role   = aws_iam_role.mlflow.id
  policy = data.aws_iam_policy_document.data.json
}
