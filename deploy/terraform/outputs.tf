output "security_group" {
  description = "Of all nodes: graft cluster make aws --set security_group=…"
  value       = aws_security_group.nodes.id
}

output "shared" {
  description = "Where the home is mounted from: graft cluster make aws --set shared=…"
  value       = aws_efs_file_system.home.dns_name
}

output "subnets" {
  description = "Where nodes are started: `SubnetIds` of a node type."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "profiles" {
  description = "IamInstanceProfile of each kind of node."
  value       = { for kind, profile in aws_iam_instance_profile.nodes : kind => profile.name }
}

output "bucket" {
  description = "For MLflow's artifacts: MLFLOW_ARTIFACTS=s3://…/artifacts"
  value       = aws_s3_bucket.main.bucket
}

output "registry" {
  description = "Where images are pushed to."
  value       = { for name, repository in aws_ecr_repository.main : name => repository.repository_url }
}

output "database" {
  description = "PGHOST of MLflow's server."
  value       = aws_db_instance.main.address
}

output "database_secret" {
  description = "Name of the secret with the database's password; the password itself is no output."
  value       = aws_db_instance.main.master_user_secret[0].secret_arn
}
