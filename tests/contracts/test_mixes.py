"""What every way of mixing samples must keep, with every loss that takes mixed targets.

Shape, type and device stay, the input is not touched; a sample is mixed as its own random numbers and its partner say,
to the last bit, in any company; without a share nothing changes; every loss is linear in the weights of the targets.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from graft.core.errors import SpecError
from graft.data.augmentation.draws import Draws
from graft.data.augmentation.mixing import Mixing, with_next
from graft.data.batch import Batch
from graft.data.batches import Batches, Shard
from graft.modalities.image.augment.light import Light
from graft.modalities.image.info import PIXELS
from graft.modalities.image.transforms import ImageInputs
from graft.pipeline.resolve import resolve_job
from graft.spec.augmentation.mixing import CutMix, Mix, MixUp
from graft.spec.load import parse_job
from graft.spec.modalities.image import ImagePreprocessing, LightAugmentation
from graft.spec.registry import build, members
from graft.spec.tasks.base import LossSpec
from graft.tasks.registry import build_task

CHANGING: list[Any] = [
    spec.model_validate({}) for spec in members("mix").values() if issubclass(spec, Mix) and spec.modality == "image"
]
LOSSES = [
    spec.model_validate({}) for spec in members("loss").values() if issubclass(spec, LossSpec) and spec.takes_mixed
]
TARGETS: dict[str, np.ndarray] = {
    "classification": np.arange(8) % 3,
    "multilabel": np.random.default_rng(0).integers(0, 2, (8, 3)).astype(np.uint8),
    "regression": np.random.default_rng(0).normal(1000, 3, (8, 3)),
}
NAMES = ("a", "b", "c")


def every(kinds: list[Any]) -> Any:
    return pytest.mark.parametrize("spec", [pytest.param(one, id=one.kind) for one in kinds])


def pictures(count: int = 9, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, 11, 11, generator=torch.Generator().manual_seed(0))


def mixed(spec: Mix, pixels: Tensor, rows: np.ndarray, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Every picture with the one behind it."""
    own, others = Batch({PIXELS: pixels[:-1]}), Batch({PIXELS: pixels[1:]})
    batch, weights = build(spec).apply(own, others, Draws.of_epoch(rows, seed, 1))
    return batch[PIXELS], weights


@every(CHANGING)
class TestEvery:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_what_comes_out_is_like_what_goes_in(self, spec: Any, channels: int) -> None:
        pixels = pictures(channels=channels)
        before = pixels.clone()
        found, weights = mixed(spec, pixels, np.arange(8))
        assert (found.shape, found.dtype, found.device) == (pixels[1:].shape, pixels.dtype, pixels.device)
        assert (weights.shape, weights.dtype) == ((8,), torch.float64)
        assert ((weights >= 0) & (weights <= 1)).all()
        assert torch.isfinite(found).all()
        assert torch.equal(pixels, before)
        assert not torch.equal(found, pixels[:-1])

    def test_a_sample_is_mixed_alike_in_any_company(self, spec: Any) -> None:
        pixels = pictures()
        whole, weights = mixed(spec, pixels, np.arange(8))
        for place in (0, 3, 7):
            alone, weight = mixed(spec, pixels[place : place + 2], np.array([place]))
            assert torch.equal(alone[0], whole[place])
            assert weight[0] == weights[place]
        assert not torch.equal(mixed(spec, pixels, np.arange(8), seed=4)[0], whole)

    def test_the_weight_is_the_share_that_is_left(self, spec: Any) -> None:
        pixels = torch.zeros(401, 1, 16, 16)
        pixels[::2] = 1.0
        found, weights = mixed(spec, pixels, np.arange(400))
        left = torch.where(torch.arange(400) % 2 == 0, found.mean((1, 2, 3)), 1 - found.mean((1, 2, 3)))
        torch.testing.assert_close(left.double(), weights, atol=1e-5, rtol=0)
        assert 0.4 < weights.mean() < 0.75

    def test_without_a_share_nothing_is_mixed(self, spec: Any) -> None:
        none = spec.model_copy(update={"share": 0.0})
        assert not none.is_active
        assert none.simplest().kind == "none"
        half = spec.model_copy(update={"share": 0.5, "alpha": 5.0})
        found, weights = mixed(half, pictures(201), np.arange(200))
        same = (found == pictures(201)[:-1]).flatten(1).all(1)
        assert torch.equal(same, weights == 1)
        assert 0.35 < same.float().mean() < 0.65


@every(LOSSES)
class TestLosses:
    def test_softened_targets_lose_what_plain_ones_do(self, spec: Any) -> None:
        loss, targets, outputs, soften = self.loss_of(spec)
        torch.testing.assert_close(loss(outputs, soften(targets)), loss(outputs, targets))

    def test_the_loss_of_mixed_targets_is_finite_and_has_a_gradient(self, spec: Any) -> None:
        loss, targets, outputs, soften = self.loss_of(spec)
        soft = soften(targets)
        value = loss(outputs.requires_grad_(), (0.3 * soft[:-1] + 0.7 * soft[1:])[:7].repeat(2, 1)[:8])
        value.backward()  # type: ignore[no-untyped-call]
        assert value.dtype == torch.float32
        assert torch.isfinite(outputs.grad).all()
        assert outputs.grad.abs().sum() > 0

    def test_classes_and_labels_weigh_as_they_were_mixed(self, spec: Any) -> None:
        if spec.tasks[0] == "regression":
            pytest.skip("numbers are averaged themselves")
        loss, targets, outputs, soften = self.loss_of(spec)
        one, other = soften(targets), soften(targets.flip(0))
        wanted = 0.3 * loss(outputs, one) + 0.7 * loss(outputs, other)
        torch.testing.assert_close(loss(outputs, 0.3 * one + 0.7 * other), wanted)

    def loss_of(self, spec: Any) -> Any:
        task = build_task(members("task")[spec.tasks[0]].model_validate({}))  # type: ignore[arg-type]
        values = TARGETS[spec.tasks[0]]
        facts = dict(task.facts(values, NAMES))
        outputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
        return task.loss(spec, values, facts), torch.from_numpy(values), outputs, lambda some: task.soften(some, facts)


def test_all_our_losses_take_mixed_targets() -> None:
    ours = [spec for spec in members("loss").values() if spec.__module__.startswith("graft.")]
    assert all(spec in [type(one) for one in LOSSES] for spec in ours)


@pytest.mark.parametrize("spec", [MixUp(alpha=1.0), CutMix(share=0.7)], ids=["mixup", "cutmix"])
@pytest.mark.parametrize(("ranks", "size"), [(2, 7), (3, 9), (1, 4), (2, 25)])
def test_batches_are_the_same_to_the_last_bit_on_any_number_of_workers(spec: Mix, ranks: int, size: int) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (25, 8, 8, 1), dtype=np.uint8)
    given = ImagePreprocessing(stored_size=8, resolution=8, channels=1, mean=(0.5,) * 3, std=(0.5,) * 3)
    inputs = ImageInputs(stored, given, torch.device("cpu"))
    task = build_task(members("task")["classification"].model_validate({}))  # type: ignore[arg-type]
    mixing = Mixing(build(spec), lambda targets: task.soften(targets, {"num_outputs": 4}))
    augmenter = Light(LightAugmentation(share=0.7), "both")

    def epoch(rank: int, of: int, batch_size: int) -> list[Any]:
        batches = Batches(inputs, np.arange(25) % 4, np.arange(25), batch_size, Shard(rank, of)).mixed(mixing)
        return list(batches.epoch(3, 2, augmenter))

    whole = epoch(0, 1, 9)
    targets = torch.cat([batch.targets for batch in whole])
    assert targets.shape == (25, 4)
    torch.testing.assert_close(targets.sum(1), torch.ones(25))
    parts = [
        part for together in zip(*(epoch(rank, ranks, size) for rank in range(ranks)), strict=True) for part in together
    ]
    assert torch.equal(torch.cat([part.targets for part in parts]), targets)
    assert torch.equal(
        torch.cat([part.inputs[PIXELS] for part in parts]), torch.cat([batch.inputs[PIXELS] for batch in whole])
    )


def test_the_last_row_is_followed_by_the_first() -> None:
    order = np.array([4, 2, 9])
    assert with_next(order, 0, 2).tolist() == [4, 2, 9]
    assert with_next(order, 1, 2).tolist() == [2, 9, 4]


def resolve(data: dict[str, Any], task: str, **strategy: Any) -> Any:
    return resolve_job(parse_job({"name": "x", "data": data, "task": task, "strategy": strategy})).job


class TestWhatDoesNotFit:
    def test_cutmix_in_regression(self, tmp_path: Any) -> None:
        (tmp_path / "t.csv").write_text("file,size\n" + "".join(f"{row}.png,{row / 3:.2f}\n" for row in range(30)))
        for row in range(30):
            (tmp_path / f"{row}.png").write_bytes(b"not looked into")
        data = {"kind": "table", "path": str(tmp_path / "t.csv"), "image": "file", "label": "size"}
        with pytest.raises(SpecError, match=r"strategy.mix: is cutmix, but task regression takes one of none, mixup"):
            resolve(data, "regression", mix="cutmix")
        assert resolve(data, "regression", mix="mixup").strategy.values("mix") == ("mixup",)

    def test_texts(self) -> None:
        with pytest.raises(SpecError, match=r"strategy.mix: is mixup, which mixes images, but the data are texts"):
            resolve({"kind": "wordnet"}, "classification", mix={"choice": ["none", "mixup"]})
