"""Named, lazily imported implementations, open to third parties through entry points."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from graft.core.errors import Problem, SpecError
from graft.core.unicode_form import nearest


class Registry:
    """Maps a name to ``"module:attribute"`` and imports it only when it is asked for.

    A third party adds an entry without a fork, by an entry point in the group ``graft.<kind>``.

    Args:
        kind: what is registered, singular, as users call it ("penalty").
        entries: name -> ``"module:attribute"``.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def names(self) -> tuple[str, ...]:
        """All names, ours first, each group sorted."""
        ours = sorted(self._entries)
        return (*ours, *sorted(set(self._plugins) - set(ours)))

    def __contains__(self, name: str) -> bool:
        return name in self._entries or name in self._plugins

    def get(self, name: str) -> Any:
        """The registered object.

        Raises:
            SpecError: the name is not registered; the message names the nearest ones.
        """
        target = self._entries.get(name) or self._plugins.get(name)
        if target is None:
            raise SpecError([Problem("", unknown(self.kind, name, self.names()))])
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)

    def package_of(self, name: str) -> str:
        """The package that an entry comes from."""
        target = self._entries.get(name) or self._plugins.get(name, "")
        return target.partition(":")[0].partition(".")[0]

    @cached_property
    def _plugins(self) -> dict[str, str]:
        # Looked for once: a plan asks for a backbone a thousand times, and each look takes 10 ms.
        return {point.name: point.value for point in entry_points(group=f"graft.{self.kind}")}


def unknown(kind: str, name: str, names: Iterable[str]) -> str:
    """The sentence for a name nobody knows: value, rule, nearest name."""
    known = sorted(names)
    near = nearest(str(name), known, 0.5)
    hint = f"; did you mean `{near}`?" if near else ""
    return f"{kind} is `{name}`, but must be one of {', '.join(known)}{hint}"
