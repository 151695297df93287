"""Conditions in MLflow's search language, which has quotes but no way to escape one."""


def tag_is(tag: str, value: str) -> str:
    """The condition that a tag has a value.

    Raises:
        ValueError: the language cannot say it.
    """
    quote = '"' if "'" in value else "'"
    if quote in value or "`" in tag:
        raise ValueError(f"tag `{tag}` = {value!r} cannot be asked for: MLflow's filters know no escaped quotes")
    return f"tags.`{tag}` = {quote}{value}{quote}"
