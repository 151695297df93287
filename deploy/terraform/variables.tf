variable "name" {
  description = "Name of everything that is made; that of the cluster file too (`graft cluster make aws --set name=…`)."
  type        = string
  default     = "graft"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be lower-case letters, digits and dashes, at most 21, and begin with a letter."
  }
}

variable "region" {
  description = "Region of everything."
  type        = string
  default     = "eu-central-1"
}

variable "network" {
  description = "Addresses of the network."
  type        = string
  default     = "10.40.0.0/16"
}

variable "ssh_from" {
  description = "Networks that may come in by SSH, such as that of a VPN; none by default. Never 0.0.0.0/0."
  type        = list(string)
  default     = []

  validation {
    condition     = !contains(var.ssh_from, "0.0.0.0/0") && !contains(var.ssh_from, "::/0")
    error_message = "ssh_from must not hold the whole internet; name the network of a VPN or a bastion."
  }
}

variable "database_class" {
  description = "Size of MLflow's database."
  type        = string
  default     = "db.t4g.small"
}

variable "keep_on_destroy" {
  description = "Whether `terraform destroy` leaves data alone: the bucket must be empty, the database is protected."
  type        = bool
  default     = true
}
