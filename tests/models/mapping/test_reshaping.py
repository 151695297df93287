import pytest
import torch
from torch import nn

from graft.models.mapping.axes import FIXED, IN, OUT, Axis, Role, axes_of
from graft.models.mapping.reshaping import fit_of, fitted, unfit

KERNEL, ROWS = Axis(Role.KERNEL), Axis(Role.ROWS)
CONV = (OUT, IN, KERNEL, KERNEL)


def brought(name, source, shape, axes):
    return fitted(name, source, torch.zeros(shape), axes)


def test_a_tensor_as_it_is_is_not_told():
    fit = fit_of("w", torch.ones(2, 3), torch.zeros(2, 3), (OUT, IN))
    assert (fit.how, fit.quality) == ("", 1.0)


def test_what_is_given_is_a_copy_of_the_targets_type():
    source = torch.ones(2, dtype=torch.float16)
    found = brought("w", source, (2,), (OUT,))
    found += 1
    assert found.dtype == torch.float32
    assert source.tolist() == [1, 1]


def test_a_linear_layer_is_a_convolution_of_one_place():
    assert torch.equal(brought("w", torch.arange(6.0).reshape(2, 3), (2, 3, 1, 1), CONV).flatten(), torch.arange(6.0))


@pytest.mark.parametrize(("old", "new"), [(1, 3), (3, 1)])
def test_a_grey_sample_means_the_same_in_one_channel_and_in_three(old, new):
    small, large = nn.Conv2d(old, 4, 3), nn.Conv2d(new, 4, 3)
    weight = brought("w", small.weight, large.weight.shape, axes_of(large)["weight"])
    large.load_state_dict({"weight": weight, "bias": small.bias})
    grey = torch.randn(2, 1, 6, 6)
    torch.testing.assert_close(
        large(grey.expand(-1, new, -1, -1)), small(grey.expand(-1, old, -1, -1)), rtol=1e-5, atol=1e-5
    )


def test_three_channels_are_summed_in_the_first_convolution_only():
    assert fit_of("w", torch.ones(4, 2, 3, 3), torch.ones(4, 1, 3, 3), CONV) is None
    assert fit_of("w", torch.ones(4, 3), torch.ones(4, 1), (OUT, IN)) is None


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_a_position_embedding_is_resampled_as_timm_does(prefix):
    from timm.layers import resample_abs_pos_embed

    table = torch.randn(1, prefix + 16, 8)
    found = brought("stem.pos_embed", table, (1, prefix + 49, 8), (FIXED, FIXED, OUT))
    expected = resample_abs_pos_embed(table, [7, 7], [4, 4], num_prefix_tokens=prefix)
    torch.testing.assert_close(found, expected)
    assert "interpolated" in fit_of("pos_embed", table, found, (FIXED, FIXED, OUT)).how


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 0)])
@pytest.mark.parametrize("side", [4, 6])
def test_positions_of_a_network_with_a_token_more_are_those_of_the_square(before, after, side):
    from timm.layers import resample_abs_pos_embed

    table = torch.randn(1, before + 16, 8)
    found = brought("stem.pos_embed", table, (1, after + side**2, 8), (FIXED, FIXED, OUT))
    square = resample_abs_pos_embed(table[:, before:], [side, side], [4, 4], num_prefix_tokens=0)
    torch.testing.assert_close(found, torch.cat([table[:, :after], square], dim=1))


def test_positions_of_tokens_that_the_source_lacks_are_not_made_up():
    for old, new in ((16, 17), (17, 18), (33, 17)):
        assert fit_of("pos_embed", torch.ones(1, old, 8), torch.ones(1, new, 8), (FIXED, FIXED, OUT)) is None


def test_a_position_embedding_is_resampled_and_grows_wider():
    table = torch.randn(1, 17, 4)
    found = brought("pos_embed", table, (1, 26, 8), (FIXED, FIXED, OUT))
    assert torch.equal(found[..., :4], found[..., 4:])
    assert torch.equal(found[:, 0, :4], table[:, 0])


def test_a_table_of_relative_positions_is_resampled():
    assert brought("attn.relative_position_bias_table", torch.randn(49, 2), (169, 2), (FIXED, OUT)).shape == (169, 2)


@pytest.mark.parametrize(("old", "new"), [(8, 5), (8, 13), (1, 4)])
def test_positions_of_texts_that_both_have_stay(old, new):
    table = torch.randn(old, 3)
    found = brought("embeddings.position_embeddings.weight", table, (new, 3), (ROWS, OUT))
    both = min(old, new)
    assert torch.equal(found[:both], table[:both])
    assert found.isfinite().all()
    if new > old:
        torch.testing.assert_close(found[-1], table[-1])


@pytest.mark.parametrize(
    ("name", "old", "new", "axes"),
    [
        ("embeddings.word_embeddings.weight", (5, 3), (6, 3), (ROWS, OUT)),
        ("w", (4, 3), (3, 4), (OUT, IN)),
        ("w", (4, 3), (3, 3), (OUT, IN)),
        ("pos_embed", (1, 18, 4), (1, 23, 4), (FIXED, FIXED, OUT)),
        ("w", (2, 3), (2, 3, 2, 2), CONV),
    ],
)
def test_what_is_not_sound_is_not_done(name, old, new, axes):
    assert fit_of(name, torch.ones(old), torch.ones(new), axes) is None
    with pytest.raises(ValueError, match="cannot become"):
        brought(name, torch.ones(old), new, axes)


def test_counters_are_no_weights():
    assert fit_of("w", torch.tensor(3), torch.tensor(0.0), ()) is None


@pytest.mark.parametrize(
    ("name", "old", "new", "planes"),
    [
        ("pos_embed", (1, 4, 5, 5), (1, 4, 3, 7), lambda table: table),
        ("pos_embed", (1, 5, 5, 4), (1, 3, 7, 4), lambda table: table.permute(0, 3, 1, 2)),
        ("attn.rel_pos.relative_position_bias_table", (2, 5, 5), (2, 9, 9), lambda table: table[None]),
    ],
)
def test_a_table_with_height_and_width_is_resampled_to_any_rectangle(name, old, new, planes):
    table, axes = torch.randn(old), (*[FIXED] * (len(old) - 1), OUT)
    found = brought(name, table, new, axes)
    size = tuple(planes(found).shape[-2:])
    expected = nn.functional.interpolate(planes(table), size, mode="bicubic", antialias=True)
    torch.testing.assert_close(planes(found), expected)
    assert "interpolated" in fit_of(name, table, found, axes).how


def test_what_may_be_height_and_width_in_two_ways_is_left():
    axes = (FIXED, FIXED, FIXED, OUT)
    assert fit_of("pos_embed", torch.ones(1, 16, 196, 96), torch.ones(1, 16, 256, 96), axes) is None, "no plane"
    assert fit_of("w", torch.ones(1, 4, 5, 5), torch.ones(1, 4, 3, 7), axes) is None, "no positions"


@pytest.mark.parametrize("name", ["encoder.pos_embedding", "pos_embed_1", "patch_pos"])
def test_positions_are_known_by_the_names_that_libraries_give_them(name):
    assert brought(name, torch.randn(1, 17, 8), (1, 50, 8), (FIXED, FIXED, OUT)).shape == (1, 50, 8)


@pytest.mark.parametrize(
    ("old", "told"),
    [
        ((1, 33, 8), "it is 1×50×8, but the source has 1×33×8, which is no square of places"),
        ((1, 49, 8), "it is 1×50×8, but the source has 1×49×8, without positions for the tokens before the square"),
        (None, "the source has no positions of this name"),
    ],
)
def test_why_positions_are_left_is_told(old, told):
    assert unfit("pos_embed", None if old is None else torch.ones(old), torch.ones(1, 50, 8)) == told
    assert unfit("head.weight", None, torch.ones(3, 3)) == ""
