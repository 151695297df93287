"""A job as a commented file. The comments are the descriptions of the keys, so that there is one place for them."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from graft.pipeline.draft.draft_job import DraftJob
from graft.spec.base import Spec
from graft.spec.job import Job
from graft.spec.registry import members
from graft.spec.strategy import Strategy

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS_OF_YAML = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"}
_UNSAID = ("version", "name")


def render(draft: DraftJob) -> str:
    """The text of a job file: a line that says what it is for, then every key with what it means."""
    job = draft.job
    parts = [
        f"# {_printable(draft.title)} Written by `graft init`; docs/defaults.md says why it searches what it does."
    ]
    parts += [f"{name}: {flow(job[name])}" for name in _UNSAID]
    models: dict[str, type[Spec]] = {"data": members("data_kind")[job["data"]["kind"]], "strategy": Strategy}
    for name, info in Job.model_fields.items():
        if name not in job or name in _UNSAID:
            continue
        parts += ["", *_comment(f"{info.description} {_sentence(draft.reasons.get(name, ''))}")]
        section = job[name]
        model = models.get(name)
        if isinstance(section, dict) and model is not None:
            parts += [f"{name}:", *_keys(name, section, model, draft.reasons)]
            parts += _suggested(draft.suggested, model) if name == "data" else []
        else:
            parts += _section(name, section)
    return "\n".join(parts) + "\n"


def flow(value: Any) -> str:
    """A value on one line of YAML."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{flow(str(key))}: {flow(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML
            return value if is_plain else _quoted(value)
        case _:
            return json.dumps(value)


def _section(name: str, section: Any) -> list[str]:
    """On one line; where it holds a list of mappings, a line a key, and a line an item of that list."""
    if not isinstance(section, Mapping) or not any(map(_is_of_mappings, section.values())):
        return [f"{name}: {flow(section)}"]
    lines = [f"{name}:"]
    for key, value in section.items():
        if _is_of_mappings(value):
            lines += [f"  {flow(str(key))}:", *(f"    - {flow(one)}" for one in value)]
        else:
            lines.append(f"  {flow(str(key))}: {flow(value)}")
    return lines


def _is_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _keys(name: str, section: Mapping[str, Any], model: type[Spec], reasons: Mapping[str, str]) -> Iterator[str]:
    for key, value in section.items():
        description = model.model_fields[key].description or ""
        reason = reasons.get(f"{name}.{key}", "")
        yield from _comment(f"{description} {_sentence(reason)}", "  ")
        yield f"  {key}: {flow(value)}"


def _suggested(keys: Mapping[str, Any], model: type[Spec]) -> Iterator[str]:
    """Keys that may be meant, to be uncommented."""
    for key, value in keys.items():
        yield from _comment(f"Perhaps {key}, by its name and values: {model.model_fields[key].description}", "  ")
        yield f"  # {key}: {flow(value)}"


def _comment(text: str, indent: str = "") -> list[str]:
    lines = textwrap.wrap(_printable(text.strip()), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in lines]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', ')')) else '.'}" if text else ""


def _quoted(text: str) -> str:
    """In double quotes; what is not printed could end the line, or the comment."""
    escaped = (f"\\{one}" if one in '"\\' else one if one.isprintable() else f"\\U{ord(one):08x}" for one in text)
    return f'"{"".join(escaped)}"'


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)
