"""Networks that read texts, brought into graft's form."""
