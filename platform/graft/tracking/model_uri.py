"""Addresses of registered models: ``models:/<name>/<version>``, ``models:/<name>@<alias>``, ``models:/<name>``."""

from dataclasses import dataclass

from graft.core.errors import SpecError
from graft.spec.tracking.names import model_name_problem

SCHEME = "models:/"
CHAMPION, CHALLENGER = "champion", "challenger"
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
