"""Training that starts from weights of another network: `init: {kind: mapped, source: …}`."""
