"""Addresses of registered models, ``models:/<name>``, with ``/<version>`` or ``@<alias>``; which version is meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graft.core.credentials import redact
from graft.core.errors import SpecError
from graft.spec.messages.sentences import nearest_hint
from graft.spec.tracking.names import model_name_problem

SCHEME = "models:/"
CHAMPION, CHALLENGER = "champion", "challenger"
_SHOWN = 5
META_SUFFIX = ".meta"
"""Behind the name of a meta-model: a search of the same name registers models of another kind."""


@dataclass(frozen=True)
class ModelUri:
    """A version of a registered model, by its number or an alias; by the name alone the champion, else the newest."""

    name: str
    version: str | None = None
    alias: str | None = None

    def __str__(self) -> str:
        which = f"/{self.version}" if self.version else f"@{self.alias}" if self.alias else ""
        return f"{SCHEME}{self.name}{which}"

    @classmethod
    def champion(cls, name: str) -> "ModelUri":
        """The version that graft holds to be the best."""
        return cls(name, alias=CHAMPION)

    @classmethod
    def parse(cls, text: str) -> "ModelUri":
        """Read an address by MLflow's rules: the last ``@`` divides, and nothing is percent-decoded.

        A name alone, which MLflow holds to be an id, is a name here.

        Raises:
            SpecError: it is no such address.
        """
        rest = text.removeprefix(SCHEME)
        name, slash, version = rest.partition("/")
        if slash:
            found = cls(name, version=version) if version.isascii() and version.isdigit() else None
        else:
            name, at, alias = rest.rpartition("@") if "@" in rest else (rest, "", "")
            found = cls(name, alias=alias or None) if alias.strip() or not at else None
        problem = model_name_problem(name) if found else None
        if found is None or problem or not text.startswith(SCHEME):
            told = (
                f"`{name}` {problem}" if problem else f"must be {SCHEME}<name>@{CHAMPION} or {SCHEME}<name>/<version>"
            )
            raise SpecError(f"model is `{text}`, but {told}")
        return found


@dataclass(frozen=True)
class HeldVersions:
    """What a store holds under the name of a model.

    Attributes:
        numbers: of the versions; at least the newest.
        aliases: the numbers by the names that versions were given.
    """

    numbers: frozenset[int] = frozenset()
    aliases: Mapping[str, int] = field(default_factory=dict)

    @property
    def newest(self) -> int | None:
        return max(self.numbers, default=None)

    def number_of(self, wanted: ModelUri) -> int | None:
        """The version that is meant: by its number, its alias, or the name alone; None if there is none."""
        if wanted.version:
            return int(wanted.version)
        return self.aliases.get(wanted.alias) if wanted.alias else self.aliases.get(CHAMPION, self.newest)


def no_such_model(wanted: ModelUri, store: str, names: Iterable[str]) -> SpecError:
    """What to raise for a name that a store does not know.

    Args:
        wanted: what was asked for.
        store: its tracking URI.
        names: of the models that it has.
    """
    known = sorted(names)
    listed = ", ".join(f"`{name}`" for name in known[:_SHOWN])
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    has = f"; it has {listed}{more}" if known else "; it has none yet: `graft run` registers one"
    return _error(wanted, store, f"no model `{wanted.name}`{nearest_hint(wanted.name, known) or has}")


def no_such_version(wanted: ModelUri, store: str, held: HeldVersions) -> SpecError:
    """What to raise for a version that a model of a store does not have."""
    if held.newest is None:
        return _error(wanted, store, f"no version of `{wanted.name}` any more; `graft run` registers one")
    newest = f"the newest is {ModelUri(wanted.name, version=str(held.newest))}"
    if wanted.alias is None:
        return _error(wanted, store, f"no version {wanted.version or CHAMPION} of `{wanted.name}`; {newest}")
    named = ", ".join(f"@{alias} (version {number})" for alias, number in sorted(held.aliases.items()))
    aliases = f"its aliases are {named}" if named else "it has none"
    return _error(wanted, store, f"no alias `{wanted.alias}` of `{wanted.name}`; {aliases}, {newest}")


def _error(wanted: ModelUri, store: str, lacks: str) -> SpecError:
    return SpecError(f"model is `{wanted}`, but tracking store {redact(store)} has {lacks}")
