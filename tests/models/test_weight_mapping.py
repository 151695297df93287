import pytest
import torch

from graft.core.errors import ArtifactError
from graft.models.weight_mapping import MappingReport, MappingRule, map_state_dict

BY_NAME = MappingRule(
    "by name",
    lambda source, target: {key: key for key in source},
    may_miss=(r"\.counter$",),
    may_exceed=(r"^head\.",),
)


def test_every_key_is_accounted_for():
    source = {"a": torch.ones(2), "b": torch.ones(3, 4), "head.w": torch.ones(9)}
    target = {"a": torch.zeros(2), "b": torch.zeros(3, 4, 1, 1), "n.counter": torch.tensor(7)}
    mapped, report = map_state_dict(source, target, BY_NAME)
    assert report == MappingReport("by name", ("a",), ("n.counter",), ("head.w",), ("b",))
    assert mapped.keys() == target.keys()
    assert torch.equal(mapped["b"], torch.ones(3, 4, 1, 1))
    assert mapped["n.counter"] == 7


def test_report_reads_as_one_line():
    report = MappingReport("by name", ("a", "b"), (), ("head.w",), ())
    assert str(report) == "by name: 2 matched, 0 missing, 1 unexpected (head.w), 0 reshaped"


def test_dtype_is_that_of_the_network():
    mapped, _ = map_state_dict({"a": torch.ones(2, dtype=torch.float16)}, {"a": torch.zeros(2)}, BY_NAME)
    assert mapped["a"].dtype == torch.float32


@pytest.mark.parametrize(("theirs", "ours"), [((2, 3), (3, 2)), ((1, 4), (4, 1)), ((6,), (2, 3)), ((2,), (3,))])
def test_shape_that_does_not_fit_names_the_key_and_both_shapes(theirs, ours):
    with pytest.raises(ArtifactError) as caught:
        map_state_dict({"a": torch.ones(theirs)}, {"a": torch.ones(ours)}, BY_NAME)
    for shape in (theirs, ours):
        assert "×".join(map(str, shape)) in str(caught.value)
    assert "a is" in str(caught.value)


def test_all_problems_at_once_and_only_the_first_few_keys():
    source = {f"w{i}": torch.ones(2) for i in range(9)} | {"extra": torch.ones(1)}
    target = {f"w{i}": torch.ones(3) for i in range(9)} | {"absent": torch.ones(1)}
    with pytest.raises(ArtifactError) as caught:
        map_state_dict(source, target, BY_NAME)
    message = str(caught.value)
    for part in ("9 tensors of another shape", "w0 is 2", "… 5 more", "not in the file: absent", "network: extra"):
        assert part in message
    assert "w4" not in message


def test_missing_key_is_an_error_unless_the_rule_allows_it():
    with pytest.raises(ArtifactError, match="1 tensor of the network not in the file: b"):
        map_state_dict({"a": torch.ones(1)}, {"a": torch.ones(1), "b": torch.ones(1)}, BY_NAME)


def test_unexpected_key_is_an_error_unless_the_rule_allows_it():
    with pytest.raises(ArtifactError, match="1 tensor of the file unknown to the network: heady"):
        map_state_dict({"a": torch.ones(1), "heady": torch.ones(1)}, {"a": torch.ones(1)}, BY_NAME)


def test_empty_file_is_an_error():
    with pytest.raises(ArtifactError, match="not in the file"):
        map_state_dict({}, {"a": torch.ones(1)}, BY_NAME)
