"""Which blocks a structure leaves: a number of whole blocks, the same however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.spec.components.skip import Depth, DrawnSkip, NoSkip, SkipAt, SpreadSkip
from graft.spec.components.structure import Structure
from graft.spec.strategy import Strategy

LITE0 = Depth(17, (2, 4, 6, 7, 9, 10, 12, 13, 14))
shares = st.floats(0.01, 1.0)
skips = st.one_of(
    st.just(NoSkip()),
    st.builds(SpreadSkip, share=shares),
    st.builds(DrawnSkip, share=shares, seed=st.integers(0, 99)),
    st.builds(SkipAt, depths=st.lists(shares, min_size=1, max_size=4).map(tuple)),
)
structures = st.builds(
    Structure,
    keep=shares,
    skip=skips,
    deepen=st.one_of(st.just(0.0), shares),
    widen=st.sampled_from([1.0, 1.5, 4.0]),
    pool=st.sampled_from(["own", "gem"]),
)
depths = st.integers(1, 30).flatmap(
    lambda count: st.builds(Depth, st.just(count), st.sets(st.integers(0, count - 1)).map(lambda one: (*sorted(one),)))
)


@given(structures, depths)
def test_the_simplest_form_leaves_the_same_blocks_and_is_its_own(structure: Structure, depth: Depth) -> None:
    simple = structure.simplest(depth)
    assert simple.blocks(depth) == structure.blocks(depth)
    assert simple.simplest(depth) == simple
    assert Structure.model_validate(simple.model_dump(mode="json")) == simple


@given(structures, depths)
def test_there_is_a_block_left_and_only_residual_ones_go(structure: Structure, depth: Depth) -> None:
    left = structure.blocks(depth)
    assert left
    assert list(left) == sorted(left)
    gone = set(range(structure.kept(depth.num_blocks))) - set(left)
    assert gone <= set(depth.residual or ())


@given(st.integers(0, 99), depths)
def test_with_one_seed_more_is_left_out_of_the_same(seed: int, depth: Depth) -> None:
    before: set[int] = set()
    for share in (0.25, 0.5, 1.0):
        structure = Structure(skip=DrawnSkip(share=share, seed=seed))
        gone = set(range(depth.num_blocks)) - set(structure.blocks(depth))
        assert before <= gone
        before = gone


@pytest.mark.parametrize(
    ("skip", "gone"),
    [
        ({"kind": "spread", "share": 0.33}, {4, 9, 13}),
        ({"kind": "spread", "share": 1.0}, {2, 4, 6, 7, 9, 10, 12, 13, 14}),
        ({"kind": "at", "depths": [0.45, 0.86]}, {7, 14}),
        ({"kind": "at", "depths": [0.45, 0.451]}, {7}),
        ("none", set()),
    ],
)
def test_what_is_left_out_of_lite0(skip: object, gone: set[int]) -> None:
    structure = Structure.model_validate({"skip": skip if isinstance(skip, dict) else {"kind": skip}})
    assert set(range(17)) - set(structure.blocks(LITE0)) == gone


def test_what_is_not_known_cannot_be_left_out() -> None:
    structure = Structure(keep=0.5, skip=SpreadSkip())
    with pytest.raises(ValueError, match="not known"):
        structure.blocks(Depth(17))
    assert Structure(keep=0.5).blocks(Depth(17)) == tuple(range(8))


def test_a_copied_block_is_there_twice() -> None:
    assert Structure(keep=0.5, deepen=0.5).blocks(LITE0) == (0, 1, 2, 3, 4, 4, 5, 6, 7, 7)
    assert Structure(keep=0.5, skip=SpreadSkip(share=1.0), deepen=1.0).blocks(LITE0) == (0, 1, 3, 5)


class TestInAStrategy:
    def strategy(self, freeze: float = 0.5, **structure: object) -> Strategy:
        return Strategy.model_validate({"freeze": freeze, "structure": structure})

    def test_the_frozen_share_is_one_of_the_blocks_that_there_are(self) -> None:
        assert self.strategy(keep=0.5).canonical(16).freeze == 0.5
        assert self.strategy(0.55, keep=0.5).canonical(16).freeze == 0.5  # four of eight
        spread = {"kind": "spread", "share": 1.0}
        assert self.strategy(0.4, skip=spread).canonical(LITE0).freeze == 3 / 8

    def test_a_share_means_whole_blocks(self) -> None:
        one, other = self.strategy(keep=0.5), self.strategy(keep=0.49)
        assert one.key() != other.key()
        assert one.canonical(17).key() == other.canonical(17).key()

    def test_the_whole_backbone_is_not_written(self) -> None:
        assert "structure" not in Strategy().model_dump()
        assert self.strategy().key() == Strategy(freeze=0.5).key()
        assert self.strategy(keep=0.999).canonical(17).architecture() == Strategy().architecture()

    def test_weights_fit_within_one_structure(self) -> None:
        assert self.strategy(keep=0.5).architecture() != self.strategy().architecture()
        assert self.strategy(pool="gem").architecture() != self.strategy().architecture()
        assert self.strategy(0.1, keep=0.5).architecture() == self.strategy(0.9, keep=0.5).architecture()

    def test_frozen_copies_are_none(self) -> None:
        assert self.strategy(1.0, deepen=0.5).canonical(LITE0).key() == self.strategy(1.0).canonical(LITE0).key()
        assert self.strategy(0.5, deepen=0.5).canonical(LITE0).structure.deepen == 4 / 9
        assert self.strategy(1.0, widen=2.0).canonical(LITE0).key() == self.strategy(1.0).canonical(LITE0).key()
        assert self.strategy(0.5, widen=2.0).canonical(LITE0).structure.widen == 2

    def test_it_is_told(self) -> None:
        strategy = self.strategy(keep=0.5, skip={"kind": "drawn", "share": 0.25, "seed": 3}, pool="gem")
        assert strategy.label() == "efficientnet_lite0 keep=0.5 skip=drawn:0.25:3 pool=gem freeze=0.5"
        told = {name: value for name, value in strategy.flat().items() if name.startswith("structure")}
        assert told == {
            "structure.keep": 0.5,
            "structure.skip": "drawn",
            "structure.skip.share": 0.25,
            "structure.skip.seed": 3,
            "structure.deepen": 0.0,
            "structure.widen": 1.0,
            "structure.pool": "gem",
        }

    def test_unknown_depths_leave_it_as_it_is(self) -> None:
        strategy = self.strategy(keep=0.5, skip={"kind": "spread", "share": 0.3})
        assert strategy.canonical() == strategy
        assert strategy.canonical(17).structure.skip == strategy.structure.skip
