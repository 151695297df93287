import pytest

from graft.core.errors import SpecError
from graft.tracking.model_uri import ModelUri


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("models:/digits", ModelUri("digits")),
        ("models:/digits@champion", ModelUri("digits", alias="champion")),
        ("models:/digits/3", ModelUri("digits", version="3")),
        ("models:/me@home@best", ModelUri("me@home", alias="best")),
        ("models:/me@home/3", ModelUri("me@home", version="3")),
        ("models:/o'neil's \"x\"@champion", ModelUri("o'neil's \"x\"", alias="champion")),
        ("models:/a%2Fb/1", ModelUri("a%2Fb", version="1")),
        ("models:/größe #1", ModelUri("größe #1")),
    ],
)
def test_addresses_of_models(text: str, found: ModelUri) -> None:
    assert ModelUri.parse(text) == found
    assert ModelUri.parse(str(found)) == found


@pytest.mark.parametrize(
    "text", ["models:/", "models:/@champion", "models:/a@", "models:/a/", "models:/a/x", "models:/a/1/2", "models:/a/١",
             "models:/a?b/1", "models:/../x@y", "digits"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(SpecError, match="model is `"):
        ModelUri.parse(text)
