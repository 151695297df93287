import contextlib
import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graft.spec.yaml_text import YamlError, read_yaml

plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**9), 10**9),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text("ab :#-'\"é\U00010000[{*&!|>%@`", max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_json_is_read_as_json_says(value: Any) -> None:
    assert read_yaml(json.dumps(value, ensure_ascii=False)).data == value


@given(st.text("a1 :#-'\"[]{}*&!|>%@`?,.\n\t\0é", max_size=60))
def test_no_text_brings_anything_but_a_yaml_error(text: str) -> None:
    with contextlib.suppress(YamlError):
        read_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("1.0e-4", 1e-4),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("+3", 3),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-11-21", "2026-11-21"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("1e-4x", "1e-4x"),
        ("=", "="),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = read_yaml(f"key: {text}").data["key"]

    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(read_yaml(".NaN").data)


def test_keys_are_text() -> None:
    assert read_yaml("{on: 1, 1: 2, true: 3, null: 4}").data == {"on": 1, "1": 2, "true": 3, "null": 4}


def test_every_key_and_item_has_its_line() -> None:
    document = read_yaml("# a comment\na:\n  b: 1\n  c: [1,\n    2]\nd:\n- e: x\n")

    assert document.lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("d",): 6,
        ("d", 0): 7,
        ("d", 0, "e"): 7,
    }


def test_a_key_given_twice_is_found_and_the_first_one_kept() -> None:
    document = read_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\n")

    assert document.data == {"a": 1, "b": {"c": 1}}
    assert [(finding.path, finding.message.split(",")[0]) for finding in document.findings] == [
        (("b", "c"), "is given on line 2 and again on line 2"),
        (("a",), "is given on line 1 and again on line 3"),
    ]


def test_an_alias_is_a_copy() -> None:
    document = read_yaml("a: &x {p: 1}\nb: *x\n")

    assert document.data == {"a": {"p": 1}, "b": {"p": 1}}
    assert document.data["a"] is not document.data["b"]
    assert document.lines[("b",)] == 2


def test_nothing_is_null() -> None:
    assert read_yaml("").data is None
    assert read_yaml("# only a comment\n").data is None


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("a: 1\nb: *nowhere\n", "uses `*nowhere` before", 2),
        ("a: &x [*x]", "uses `*x` before", 1),
        ("a: 1\n---\nb: 2\n", "starts a second document", 2),
        ("a: !!python/object/apply:os.system [x]", "has the tag", 1),
        ("a: !custom 1", "has the tag", 1),
        ("? [a]\n: 1\n", "a key that is not a plain name", 1),
        ("a:\n  {{ name }}: 1\n", "a key that is not a plain name", 2),
        ("a: " + "9" * 5000, "of 5000 digits", 1),
        ("[" * 100_000, "nested deeper", 1),
        ("- " * 100_000, "nested deeper", 1),
        ("{a: " * 100_000, "nested deeper", 1),
    ],
)
def test_what_cannot_be_read(text: str, told: str, line: int | None) -> None:
    with pytest.raises(YamlError) as caught:
        read_yaml(text)

    assert told in caught.value.message
    assert line is None or caught.value.line == line


# Each kind of mistake, with what is said of it, at which line and column.
MISTAKES = [
    ("data:\n\tkind: digits\n", 2, 1, "is indented with a tab, but YAML takes blanks only"),
    ("data:\n  kind: digits\n  \tlimit: 3\n", 3, 3, "is indented with a tab"),
    ("data:\n  kind: digits\n\tlimit: 3\n", 3, 1, "is indented with a tab"),
    ("name: x\n\tdata: y", 2, 1, "is indented with a tab"),
    ("a: 1 # so\n\t# so\n", 2, 1, "is indented with a tab"),
    ("a: |\n\tx\n", 2, 1, "is indented with a tab"),
    ("\t", 1, 1, "is indented with a tab"),
    ("name: a: b", 1, 8, "has a `:` where no key can be; put the value in quotes"),
    ("name: x\n  seed: 1", 2, 7, "line the key up"),
    ("name digits\nseed: 1\n", 2, 5, "see that the line above is `key: value` too"),
    ("  a: 1\n b: 2", 2, 2, "is not in line with the keys above it"),
    ('a: "x" y', 1, 8, "leave nothing behind a closing one"),
    ("a: 'it's'\n", 1, 8, "close quotes"),
    ("a: 1\n- b\n", 2, 1, "does not go on as the lines above it"),
    ("- a\nb: 1\n", 2, 1, "is a key among the items of a list"),
    ("a: - b\n", 1, 4, "has a list item `- ` behind a key"),
    ("a: [1, 2", 1, 4, "opens a list with `[` that is not closed"),
    ("b: 1\na: [1, 2\n", 2, 4, "opens a list with `[` that is not closed"),
    ("{a: 1\n", 1, 1, "opens a mapping with `{` that is not closed"),
    ("a: [1 2}\n", 1, 8, "but a list with `[` is open since line 1, column 4"),
    ("a: {b: 1\nc: 2\n", 2, 2, "but a mapping with `{` is open since line 1, column 4"),
    ("b: 1\na: 'x\nc: 1\n", 2, 4, "opens a quote that is not closed"),
    ('a: "x\nb: 1', 1, 4, "opens a quote that is not closed"),
    ("a: @x", 1, 4, "begins a value with `@`, which YAML keeps for itself; put the value in quotes"),
    ("a: `x`", 1, 4, "begins a value with ```"),
    ("a: %x", 1, 4, "begins a value with `%`"),
    ('a: "C:\\data\\x"', 1, None, "has a `\\` in double quotes that begins no escape"),
    ('a: "\\x4"', 1, None, "has an escape such as `\\x` in double quotes without its digits"),
    ("a: *.jpg", 1, 5, "begins a value with `*`, which names an alias in YAML; put the value in quotes"),
    ("a: & x", 1, 5, "begins a value with `&`, which names an anchor"),
    ("a: !b!c x", 1, 4, "begins a value with `!`, which names a tag"),
    ("a: !<x", 1, 7, "begins a value with `!`, which names a tag"),
    ("a: ]\n", 1, 4, "has a bracket or a comma where a value should be"),
    ("a: |x\n", 1, 5, "has something behind `|` or `>`"),
    ("b: 1\na: \0", 2, 4, "holds the character U+0000, which no text has"),
    ("a: é\x1b[0m", 1, 5, "holds the character U+001B"),
    ("a: \ud800", 1, 4, "holds the character U+D800"),
]


@pytest.mark.parametrize("parser", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(("text", "line", "column", "told"), MISTAKES)
def test_each_mistake_has_our_sentence_with_line_and_column(
    text: str, line: int, column: int | None, told: str, parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graft.spec.yaml_text._PARSER", getattr(yaml, parser))

    with pytest.raises(YamlError) as caught:
        read_yaml(text)

    assert told in caught.value.message
    assert caught.value.line == line
    assert column in (None, caught.value.column)
    assert not any(word in caught.value.message for word in ("expected", "token", "scan", "document", "stream"))


def test_aliases_cannot_grow_without_end() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))

    with pytest.raises(YamlError, match="once aliases are expanded"):
        read_yaml(bomb)


def test_deep_aliases_do_not_recurse_without_end() -> None:
    tower = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000))

    with pytest.raises(YamlError, match="once aliases are expanded"):
        read_yaml(tower)


def test_both_parsers_of_pyyaml_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1e-4, 'b', {c: ~}]\nd: *x\ne: |\n  text\n"
    with_default = read_yaml(text)
    monkeypatch.setattr("graft.spec.yaml_text._PARSER", yaml.SafeLoader)

    assert read_yaml(text) == with_default
    with pytest.raises(YamlError, match="opens a list with"):
        read_yaml("a: [1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data:\n\u00a0\u00a0kind: digits\n", "has U+00A0 in a key, which looks like a blank or like nothing"),
        ("name: x\n\u200bdata: digits\n", "has U+200B in a key"),
        ("name:\u00a0x\ndata: digits\n", "has U+00A0, which only looks like a blank or a colon"),
        ("name\uff1a x\ndata: digits\n", "has U+FF1A, which only looks like a blank or a colon"),
        ("data:\n  <<: {kind: digits}\n", "has the key `<<`, which merges nothing here; write its keys out"),
    ],
)
def test_what_nobody_sees_is_named(text: str, told: str) -> None:
    with pytest.raises(YamlError) as caught:
        read_yaml(text)
    assert caught.value.message.startswith(told)


@pytest.mark.parametrize("text", ["'a\u00a0b': 1\n", "a: 名前： x\n", "größe: 1\n", "a b: 1\n"])
def test_what_is_meant_so_stays(text: str) -> None:
    assert read_yaml(text).data
