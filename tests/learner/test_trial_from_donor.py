"""A trial that copies another goes on from its weights, under its own strategy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.fixtures.learner_trials import PROBE, STILL, Told, Trial, near, proposal, same
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.search.protocol import Checkpoint, Proposal
from graft.spec.components.schedule import Constant


class TestFromADonor:
    @pytest.fixture
    def donor(self, here: Trial) -> Checkpoint:
        """Two epochs of t02, and its state."""
        here.train(proposal("t02", PROBE.model_copy(update={"lr": 0.05})), Told(2))
        return Checkpoint("t02", 0, 2)

    def copy(self, start: Checkpoint, **strategy: Any) -> Proposal:
        changed = PROBE.model_copy(update={"schedule": Constant(), **strategy})
        return proposal("t01", changed, start=start, segment=1, reported=2)

    def test_the_weights_are_the_donors(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01"), Told(2))
        assert not near(here.model("t01", 2), here.model("t02", 2))
        here.train(self.copy(donor, lr=STILL), Told(3))
        assert near(here.model("t01", 3, segment=1), here.model("t02", 2))

    def test_the_rate_is_the_mutated_one(self, here: Trial, donor: Checkpoint) -> None:
        told = Told()
        here.train(self.copy(donor, lr=0.2), told)
        assert told.values("train/lr") == [0.2, 0.2]
        assert not near(here.model("t01", 3, segment=1), here.model("t02", 2))

    def test_every_step_is_taken_with_the_mutated_rate(self, here: Trial, donor: Checkpoint) -> None:
        def moved(lr: float) -> Tensor:
            name = f"at{lr}"
            copied = replace(self.copy(donor, lr=lr, weight_decay=0.0), trial=name)
            here.train(copied, Told(3))
            return here.model(name, 3, segment=1)["head.1.weight"] - here.model("t02", 2)["head.1.weight"]

        # AdamW moves by the rate times a ratio of moments, and both copies have the donor's
        assert moved(1e-6).abs().max() > 1e-6
        assert torch.allclose(moved(2e-6), 2 * moved(1e-6), rtol=0.05, atol=1e-8)

    def test_the_moments_of_the_optimiser_are_the_donors(self, here: Trial, donor: Checkpoint) -> None:
        here.train(self.copy(donor, lr=STILL), Told(3))
        steps = {
            name: int(value)
            for name, value in here.state("t01", 3, segment=1).part("optimizer").items()
            if name.endswith("/step")
        }
        assert set(steps.values()) == {6}  # two steps an epoch

    def test_epochs_go_on_counting(self, here: Trial, donor: Checkpoint) -> None:
        told = Told()
        here.train(self.copy(donor), told)
        assert told.epochs == [3, 4]
        assert [(one.segment, one.epoch) for one in here.store.of_trial("t01")] == [(1, 4), (1, 3)]

    def test_the_learning_rate_schedule_goes_on_too(self, here: Trial, donor: Checkpoint) -> None:
        whole, told = Told(), Told()
        here.train(proposal("t03"), whole)
        here.train(proposal("t01", PROBE, start=donor, segment=1, reported=2), told)
        assert told.values("train/lr") == whole.values("train/lr")[2:]

    def test_a_better_epoch_of_its_own_is_not_overwritten_by_a_worse_one(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01"), Told(2))
        own = here.best("t01")
        told = Told()
        here.train(self.copy(donor, lr=10.0), told)
        assert min(told.values("val/loss")) > own.best_metrics["val/loss"]
        kept = here.best("t01")
        assert (kept.best_epoch, kept.best_metrics) == (own.best_epoch, own.best_metrics)
        assert same(kept.part("best"), own.part("best"))

    def test_a_worse_epoch_of_its_own_is_overwritten(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01", PROBE.model_copy(update={"lr": 10.0})), Told(2))
        own, told = here.best("t01"), Told()
        here.train(self.copy(donor, lr=STILL), told)
        kept = here.best("t01")
        assert kept.best_metrics["val/loss"] < own.best_metrics["val/loss"]
        assert kept.best_epoch in (3, 4)
        assert near(kept.part("best"), here.model("t02", 2))

    def test_the_donors_best_epoch_is_the_donors(self, here: Trial, donor: Checkpoint) -> None:
        # the copier has no best of its own: its first epoch is, however much better the donor's was
        here.train(self.copy(donor, lr=10.0), Told(3))
        assert here.best("t01").best_epoch == 3
        assert here.best("t01").best_metrics["val/loss"] > here.best("t02").best_metrics["val/loss"]

    def test_a_break_after_the_copy_goes_on_from_its_own(self, make: Callable[[str], Trial], here: Trial) -> None:
        whole, broken = make("whole"), make("broken")
        for one in (whole, broken):
            one.train(proposal("t02"), Told(2))
        copied = self.copy(Checkpoint("t02", 0, 2), lr=0.05)
        whole.train(copied)
        broken.train(copied, Told(3))
        after = Told()
        broken.train(replace(copied, reported=3), after)
        assert after.epochs == [4]
        assert same(whole.model("t01", 4, segment=1), broken.model("t01", 4, segment=1))

    def test_a_break_before_its_first_epoch_copies_again(self, here: Trial, donor: Checkpoint) -> None:
        here.train(proposal("t01"), Told(2))  # its own states, of the segment before
        here.train(self.copy(donor, lr=STILL), Told(3, is_lost=True))
        here.store.state_file(Checkpoint("t01", 1, 3)).unlink()
        here.train(self.copy(donor, lr=STILL), Told(3))
        assert near(here.model("t01", 3, segment=1), here.model("t02", 2))

    def test_an_epoch_lost_after_the_copy_is_reported_first(self, here: Trial, donor: Checkpoint) -> None:
        here.train(self.copy(donor), Told(3, is_lost=True))
        told = Told()
        here.train(self.copy(donor), told)
        assert told.epochs == [3, 4]

    def test_a_dangling_pointer_falls_back_to_the_donors_state_before(self, here: Trial, donor: Checkpoint) -> None:
        here.store.state_file(donor).unlink()
        told = Told()
        here.train(self.copy(donor, lr=STILL), told)
        # the epoch in between is trained again, and the search has heard of it already
        assert told.epochs == [2, 3, 4]
        assert near(here.model("t01", 3, segment=1), here.model("t02", 1))

    def test_a_donor_that_left_nothing_is_an_error_that_names_it(self, here: Trial) -> None:
        with pytest.raises(ArtifactError, match=r"t09/s0-e0002\.safetensors is gone"):
            here.train(self.copy(Checkpoint("t09", 0, 2)))

    def test_what_is_frozen_now_stays_as_the_donor_trained_it(self, here: Trial) -> None:
        open_top = PROBE.model_copy(update={"freeze": 0.9, "lr": 1e-3})
        here.train(proposal("t02", open_top), Told(2))
        here.train(self.copy(Checkpoint("t02", 0, 2), lr=STILL), Told(3))
        donor, copier = here.model("t02", 2), here.model("t01", 3, segment=1)
        assert any(name.startswith("backbone.blocks.16.") for name in copier)
        assert near(copier, donor)
