"""`data.clean`: what is done with the samples of each kind of finding."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from graft.spec.checks.base import Action, CheckSpec, FindingKind
from graft.spec.messages.rules import Finding, broken, rejected, shown
from graft.spec.messages.sentences import must_be_one_of, nearest_hint
from graft.spec.registry import members

_CHANGING = frozenset({"drop", "fix"})


def checks() -> Mapping[str, type[CheckSpec]]:
    """Every check by its name, ours and those of other packages."""
    found: Mapping[str, Any] = members("check")
    return found


def finding_kinds(modality: str | None = None) -> dict[str, FindingKind]:
    """Every kind of finding that a check may find, by its name; only those of samples of a modality if it is given."""
    fitting = (one for one in checks().values() if modality is None or one.modality in (None, modality))
    return {kind.name: kind for check in fitting for kind in check.finds}


def decided(clean: Mapping[str, Action], kind: FindingKind) -> Action:
    """What is done about a kind of finding: as the job says, or as usual."""
    return clean.get(kind.name, kind.action)


def costly_kinds() -> frozenset[str]:
    """Kinds that only checks find which take much longer than reading."""
    known = checks().values()
    cheap = {kind.name for check in known if not check.costly for kind in check.finds}
    return frozenset(kind.name for check in known if check.costly for kind in check.finds) - cheap


def is_asked_for(check: CheckSpec, clean: Mapping[str, Action]) -> bool:
    """Whether the ingest of a run makes a check: all that cost little, and those that `data.clean` names a kind of."""
    return not check.costly or any(kind.name in clean for kind in check.finds if kind.name in costly_kinds())


def kept_otherwise(clean: Mapping[str, Action]) -> dict[str, Action]:
    """The settings by which other samples are kept, the same ones changed, or more looked for: they enter the dataset's
    key."""
    usual, costly = {name: kind.action for name, kind in finding_kinds().items()}, costly_kinds()
    return {
        name: action
        for name, action in sorted(clean.items())
        if name in costly or (action != usual[name] and {action, usual[name]} & _CHANGING)
    }


def _clean(value: Any) -> dict[str, Action]:
    if not isinstance(value, Mapping):
        raise broken("must be a mapping from kinds of findings to what is done about them")
    known = finding_kinds()
    problems = [one for name, action in value.items() if (one := _problem(known, name, action))]
    if problems:
        raise rejected("clean", problems)
    return dict(value)


def _problem(known: Mapping[str, FindingKind], name: Any, action: Any) -> Finding | None:
    if name not in known:
        told = f"is no kind of finding; it {must_be_one_of(known)}{nearest_hint(str(name), known)}"
        return Finding((str(name),), told)
    if action not in known[name].actions:
        return Finding((name,), f"is {shown(action)}, but {must_be_one_of(known[name].actions)}")
    return None


class _Schema:
    """JSON Schema of `data.clean`; made when it is asked for, because other packages add kinds that import us."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        properties = {
            name: {"enum": list(kind.actions), "default": kind.action, "description": kind.meaning}
            for name, kind in finding_kinds().items()
        }
        return {"type": "object", "properties": properties, "additionalProperties": False}


Clean = Annotated[dict[str, Action], PlainValidator(_clean), _Schema()]
