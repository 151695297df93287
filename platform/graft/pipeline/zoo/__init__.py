"""`graft zoo`: what is known of pretrained networks, where their weights are, and how they get here."""
