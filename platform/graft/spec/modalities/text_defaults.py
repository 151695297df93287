"""What is tried on texts, by how many there are and how much time: the figures behind it are in docs/defaults.md."""

from collections.abc import Mapping
from typing import Any

from graft.spec.defaults.closed_form import Beside, Size
from graft.spec.defaults.recommended import Recommended
from graft.spec.defaults.scale import Scale

# Training all of MiniLM-L6 on a text of 128 tokens takes a core so long (docs/defaults.md).
_SECONDS_AT_128 = 0.055
_TOKENS = (128, 64)
# Fewer epochs do not turn the whole network, and its last blocks are cheap.
_FEWEST = 3
_STEADY: Mapping[str, Any] = {"batch_size": 32, "clip_norm": 1.0}
_WHOLE: Mapping[str, Any] = {**_STEADY, "lr": 5e-5, "head_lr_factor": 20.0}
_TOP: Mapping[str, Any] = {**_STEADY, "lr": 2e-4, "head_lr_factor": 10.0}
BAG = Beside(
    {"backbone": "bag:minilm_l6", "max_tokens": 512, "freeze": 1.0, "head": {"kind": "ridge", "scale": "idf"}},
    head="ridge",
    most_rows=3000,
    seconds=20.0,
)
"""Which words a text has: it errs on other texts than an encoder does. A bag costs the same for all tokens, so it sees
as many as the encoders can. With its 16,384 features a row, 3,000 rows are 200 MB, of which the solver has some copies;
its time grows with the cube of the rows."""


def seconds_at(tokens: int) -> float:
    """Seconds that a core takes to train on one text of so many tokens."""
    return _SECONDS_AT_128 * tokens / 128


def feature_lengths() -> tuple[Size, ...]:
    """Tokens at which heads are solved; a frozen network does a third of the arithmetic of a training."""
    return tuple(Size({"max_tokens": tokens}, seconds_at(tokens) / 3) for tokens in _TOKENS)


def recommended_by_size(space: Mapping[str, Any], scale: Scale) -> Recommended:
    """What to search, and what to try first.

    Args:
        space: the default one.
        scale: how many texts there are, and how much time.
    """
    affordable = {tokens: scale.affordable(seconds_at(tokens)) for tokens in _TOKENS}
    tokens = next((one for one, epochs in affordable.items() if epochs is None or epochs >= _FEWEST), None)
    if scale.preset == "fast":
        tokens = None
    top = ({**_TOP, "freeze": 0.67}, {**_TOP, "freeze": 0.83})
    steady = {**space, **_STEADY, "max_tokens": tokens or _TOKENS[scale.preset == "fast"]}
    if tokens is None:
        return Recommended({**steady, "freeze": {"choice": [1.0, 0.83, 0.67]}}, top)
    return Recommended(steady, (_WHOLE, *top))
