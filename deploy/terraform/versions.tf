terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }

  # Yours: a bucket of its own with versions, and a lock; the state holds addresses, and no password.
  # backend "s3" {
  #   bucket       = "my-terraform-state"
  #   key          = "graft/terraform.tfstate"
  #   region       = "eu-central-1"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project = var.name
    }
  }
}

data "aws_caller_identity" "here" {}

data "aws_availability_zones" "here" {
  state = "available"
}
