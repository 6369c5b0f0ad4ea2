"""How values of a spec are named in messages."""

_LONGEST = 40


def clip(text: str) -> str:
    """Shorten text that would drown a message."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def quote(text: str) -> str:
    """Write text in double quotes, shortened."""
    return f'"{clip(text)}"'


def describe(value: object) -> str:
    """Name a value by its kind: `text "abc"`, `the number 5`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"text {quote(value)}"
    return "a list" if isinstance(value, list) else "a mapping"


def dotted(path: tuple[str | int, ...]) -> str:
    """Write a path as people do: `cutover.steps[2].bake`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def in_yaml(value: object) -> str:
    """Write a value as YAML on one line, for a hint."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_yaml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(in_yaml(entry) for entry in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
