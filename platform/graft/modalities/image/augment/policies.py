"""The policies of `strategy.augment`: which steps are done to which picture of a batch.

A policy turns the random numbers of each picture into steps (`operations.Step`), and carries them out on the device
that the pictures are on. Pictures beyond the share stay bit for bit.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment.chains import Mixture, mixture
from graft.modalities.image.augment.learned import sub_policies
from graft.modalities.image.augment.operations import NOTHING, Step, carry_out, mirrored
from graft.modalities.image.augment.ranges import AUGMIX, AUTO, CUSTOM, RAND, TRIVIAL, Ranges, rotation_of, within
from graft.modalities.image.info import PIXELS
from graft.spec.augmentation.policies import (
    AugMix,
    AutoAugment,
    CustomAugmentation,
    Policy,
    RandAugment,
    TrivialAugment,
)
from graft.spec.modalities.base import DataSpec

Numbers = NDArray[np.float64]
Change = Callable[[Tensor, Draws], Tensor]
"""``change(pixels, draws)``: pictures [B, C, H, W] from 0 to 1 to changed ones, each by its own random numbers."""


class Augmented:
    """Changes a share of the pictures.

    Args:
        spec: says which share.
        change: what is done to them.
    """

    def __init__(self, spec: Policy, change: Change) -> None:
        self._spec = spec
        self._change = change

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """A changed copy of a batch with pixels [B, C, H, W] from 0 to 1, on any device."""
        pixels = batch[PIXELS]
        if self._spec.num_views == 0:
            return batch
        some = np.flatnonzero(draws.uniform("share")[0] < self._spec.share)
        if len(some) == 0:
            return batch
        places = torch.from_numpy(some).to(pixels.device)
        changed = self._change(pixels[places], draws.take(some))
        return Batch({PIXELS: pixels.index_copy(0, places, changed)})


def trivial(spec: TrivialAugment, data: DataSpec) -> Augmented:
    """One operation, of a strength between 0 and the magnitude."""
    ranges = within(TRIVIAL, rotation_of(data))

    def change(pixels: Tensor, draws: Draws) -> Tensor:
        numbers = draws.uniform("trivial", 3)
        step = drawn_step("trivial", ranges, numbers[0], spec.magnitude * numbers[1], numbers[2])
        return carry_out(step, pixels, draws)

    return _mirrored_first(spec, data, change)


def rand(spec: RandAugment, data: DataSpec) -> Augmented:
    """Several operations, all of one strength."""
    ranges = within(RAND, rotation_of(data))

    def change(pixels: Tensor, draws: Draws) -> Tensor:
        for place in range(spec.operations):
            numbers = draws.uniform(f"rand {place}", 2)
            strengths = np.full_like(numbers[0], spec.magnitude)
            pixels = carry_out(drawn_step(f"rand {place}", ranges, numbers[0], strengths, numbers[1]), pixels, draws)
        return pixels

    return _mirrored_first(spec, data, change)


def auto(spec: AutoAugment, data: DataSpec) -> Augmented:
    """One of the learned pairs of operations."""
    ranges, pairs = within(AUTO, rotation_of(data)), sub_policies(spec.learned_on)
    names = list(ranges)

    def change(pixels: Tensor, draws: Draws) -> Tensor:
        drawn = (draws.uniform("auto")[0] * len(pairs)).astype(np.int64)
        for place in (0, 1):
            numbers = draws.uniform(f"auto {place}", 2)
            each = [pairs[one][place] for one in drawn]
            is_done = numbers[0] < np.array([one.probability for one in each])
            chosen = np.where(is_done, [names.index(one.name) for one in each], NOTHING)
            strengths = spec.magnitude * np.array([one.strength for one in each])
            levels = levels_of(ranges, chosen, strengths, numbers[1])
            pixels = carry_out(Step(names, chosen, levels, f"auto {place}"), pixels, draws)
        return pixels

    return _mirrored_first(spec, data, change)


def augmix(spec: AugMix, data: DataSpec) -> Augmented:
    """A weighted mean of the picture and of chains of operations on it."""
    ranges = within(AUGMIX, rotation_of(data))

    def chain(index: int, mixed: Mixture, pixels: Tensor, draws: Draws) -> Tensor:
        for place in range(mixed.longest):
            purpose = f"augmix {index} {place}"
            numbers = draws.uniform(purpose, 3)
            strengths = spec.magnitude * numbers[1]
            step = drawn_step(purpose, ranges, numbers[0], strengths, numbers[2], mixed.lengths[index] > place)
            pixels = carry_out(step, pixels, draws)
        return pixels

    def change(pixels: Tensor, draws: Draws) -> Tensor:
        mixed = mixture(draws, spec.chains)
        return mixed.of(pixels, [chain(index, mixed, pixels, draws) for index in range(spec.chains)])

    return _mirrored_first(spec, data, change)


def custom(spec: CustomAugmentation, data: DataSpec) -> Augmented:
    """The given operations, one after the other."""
    ranges, flip = within(CUSTOM, rotation_of(data)), getattr(data, "flip", "none")

    def change(pixels: Tensor, draws: Draws) -> Tensor:
        for place, operation in enumerate(spec.operations):
            if operation.name == "flip":
                pixels = mirrored(pixels, flip, draws, operation.probability)
                continue
            purpose = f"custom {place}"
            numbers = draws.uniform(purpose, 3)
            chosen = np.where(numbers[0] < operation.probability, 0, NOTHING)
            strengths = spec.magnitude * operation.magnitude * numbers[1]
            only: Ranges = {operation.name: ranges[operation.name]}
            levels = levels_of(only, chosen, strengths, numbers[2])
            pixels = carry_out(Step(list(only), chosen, levels, purpose), pixels, draws)
        return pixels

    return Augmented(spec, change)


def drawn_step(
    purpose: str,
    ranges: Ranges,
    which: Numbers,
    strengths: Numbers,
    sign: Numbers,
    is_done: NDArray[np.bool_] | bool = True,
) -> Step:
    """One of the operations of a space for each picture, drawn evenly by a number from 0 to 1."""
    chosen = np.where(is_done, (which * len(ranges)).astype(np.int64), NOTHING)
    return Step(list(ranges), chosen, levels_of(ranges, chosen, strengths, sign), purpose)


def levels_of(ranges: Ranges, chosen: NDArray[np.int64], strengths: Numbers, sign: Numbers) -> Numbers:
    """Strengths from 0 to 1 in the units of the operations; a sign below one half turns those that have two sides."""
    most = np.array([one.most for one in ranges.values()])[chosen]
    has_sides = np.array([one.is_signed for one in ranges.values()])[chosen]
    levels: Numbers = strengths * most * np.where(has_sides & (sign < 0.5), -1.0, 1.0)
    return levels


def _mirrored_first(spec: Policy, data: DataSpec, change: Change) -> Augmented:
    flip = getattr(data, "flip", "none")
    return Augmented(spec, lambda pixels, draws: change(mirrored(pixels, flip, draws), draws))
