"""Which models are unlike enough to err on other samples. Pure."""

from graft.spec.strategy import Strategy

STEPS = 4
"""Into which the depth of a network is divided: nobody tells apart what two thirds and three quarters of it learned."""


def kind_of(strategy: Strategy) -> str:
    """The kind of a model, of which an ensemble takes one before it takes a second of any.

    Of one kind are the heads that were solved on one backbone, and the networks of one backbone that were trained from
    about the same depth on. What this is worth is in docs/ensembles.md.

    Args:
        strategy: that the model was made by.
    """
    if strategy.head.is_solved:
        return f"{strategy.backbone} solved"
    return f"{strategy.backbone} trained above {round(strategy.freeze * STEPS)} of {STEPS}"
