"""Numbers of things, as sentences tell them."""


def counted(number: int, noun: str) -> str:
    """``1 task``, ``1,000 tasks``; of a noun whose plural ends in s."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
