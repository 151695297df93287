"""`graft components`: what a script reads of it."""

from graft.models.zoo import ZOO
from graft.spec.registry import GROUPS


def test_every_component_is_listed_with_its_kind_its_package_and_a_line(graft):
    listed = graft("components", "--json").json["components"]
    assert {one["group"] for one in listed} == {*GROUPS, "backbone"}
    for one in listed:
        assert one.keys() == {"group", "kind", "package", "doc"}
        assert one["kind"]
        assert one["package"]
        assert one["doc"]
        assert "\n" not in one["doc"]
    assert {one["kind"] for one in listed if one["group"] == "backbone"} == set(ZOO.names())
    named = [(one["group"], one["kind"]) for one in listed]
    assert len(named) == len(set(named))


def test_a_group_is_listed_alone_and_an_unknown_one_is_told_with_a_near_one(graft):
    assert {one["group"] for one in graft("components", "penalty", "--json").json["components"]} == {"penalty"}
    done = graft("components", "penalties", "--json")
    assert done.exit_code == 2
    assert "did you mean `penalty`?" in done.json["error"]


def test_a_description_does_not_end_in_the_middle_of_a_sentence(graft):
    listed = graft("components", "--json").json["components"]
    assert [one["kind"] for one in listed if one["doc"][-1] not in ".)"] == []
