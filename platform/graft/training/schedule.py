"""How the learning rate runs over the steps: a pure function, so there is no state to resume."""

import math

from graft.spec.strategy import Constant, Cosine


def lr_factor(schedule: Constant | Cosine, step: int, total_steps: int) -> float:
    """What the peak learning rate is multiplied by at a step.

    Cosine (Loshchilov and Hutter, ICLR 2017, without restarts): w = round(warmup · T) steps rise linearly, the last of
    them at the peak; then ½ · (1 + cos(π · (t − w) / (T − w))), which would reach zero at t = T, the first step that is
    not taken. So every step moves the weights, even if there is only one.

    Args:
        schedule: which shape.
        step: t, from 0; steps past the end get the last value.
        total_steps: T, at least 1.
    """
    if isinstance(schedule, Constant):
        return 1.0
    at = min(step, total_steps - 1)
    warmup = min(round(schedule.warmup * total_steps), total_steps - 1)
    if at < warmup:
        return (at + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (at - warmup) / (total_steps - warmup)))
