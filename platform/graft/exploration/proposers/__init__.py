"""What proposes samples for labels, a file each; `graft.spec.meta.proposers` names them."""
