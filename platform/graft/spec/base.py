"""What every model of the job file has in common."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

STORED = "stored"

Share = Annotated[float, Field(ge=0, le=1)]


class Spec(BaseModel):
    """A part of a job file: frozen, unknown keys are an error, nothing is converted, defaults are checked too."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        defer_build=True,  # there are two hundred of them, of which a job reads some
    )

    @classmethod
    def read_stored(cls, raw: Mapping[str, Any]) -> Self:
        """Read what graft itself has written: keys of a newer version are ignored, so an old reader survives them.

        Args:
            raw: what `model_dump(mode="json")` gave.

        Raises:
            pydantic.ValidationError: it is not this spec.
        """
        return cls.model_validate(raw, extra="ignore", context={STORED: True})


class Component(Spec):
    """A part that a job names by its `kind`: one member of an open union (`graft.spec.registry`).

    Attributes:
        built_by: its implementation as ``module:attribute``, called with the spec and what its group is built from.
    """

    kind: str
    built_by: ClassVar[str] = ""


def _by_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


ByName = BeforeValidator(_by_name)
"""Put on a union by `kind`: a bare name stands for the component with its defaults (``l2`` for ``{kind: l2}``)."""


def spec_types(annotation: Any) -> tuple[type[Spec], ...]:
    """The specs that a value of this annotation may be: the members of a union, or the one class, or none."""
    if isinstance(annotation, type):
        return (annotation,) if issubclass(annotation, Spec) else ()
    return tuple(found for part in get_args(annotation) for found in spec_types(part))


def without_none(annotation: Any) -> Any:
    """What a value is if it is given: ``int`` for ``int | None``, whatever bounds are written beside it."""
    given = [part for part in get_args(annotation) if part is not type(None)]
    found = given[0] if len(given) == 1 and type(None) in get_args(annotation) else annotation
    return get_args(found)[0] if get_origin(found) is Annotated else found


def places_of(key: str, model: type[Spec]) -> tuple[tuple[str, ...], ...]:
    """Every path at which a key of this name stands below a model: `epochs` of a job stands in `training`."""
    found: dict[tuple[str, ...], None] = {}
    for name, field in keys_of(model).items():
        if name == key:
            found[(name,)] = None
        for spec in spec_types(field.annotation):
            found |= {(name, *path): None for path in places_of(key, spec)}
    return tuple(found)


def keys_of(model: type[Spec]) -> dict[str, FieldInfo]:
    """The fields of a model by the keys that a job file has for them (`from` cannot be a name in Python).

    Those that are left out of the schema are none: graft fills them in.
    """
    shown = {name: field for name, field in model.model_fields.items() if _is_shown(field)}
    return {field.alias or name: field for name, field in shown.items()}


def _is_shown(field: FieldInfo) -> bool:
    return not any(isinstance(one, SkipJsonSchema) for one in field.metadata)  # type: ignore[misc]


def kind_of(spec: type[Spec]) -> str | None:
    """The name that selects this spec in a union by `kind`; None when it is not a component."""
    field = spec.model_fields.get("kind")
    return None if field is None else str(field.default)
