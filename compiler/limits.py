"""CloudFormation's limits on a template."""

from collections.abc import Iterator, Mapping
from typing import Any

_BYTES = 1_048_576
_COUNTS = {"Outputs": 200, "Parameters": 200, "Resources": 500}


def exceeded(template: Mapping[str, Any], body: bytes) -> Iterator[str]:
    """Yield a sentence for each limit that a template passes.

    Args:
        template: its content.
        body: its content as it is uploaded.
    """
    if len(body) > _BYTES:
        yield f"it has {len(body)} bytes, CloudFormation takes {_BYTES}"
    for section, most in _COUNTS.items():
        count = len(template.get(section, ()))
        if count > most:
            yield f"it has {count} {section.lower()}, CloudFormation takes {most}"
    for section in _COUNTS:
        for name in template.get(section, ()):
            if not (name.isascii() and name.isalnum() and len(name) <= 255):
                yield f"{name} is no logical id: letters and digits alone, 255 at most"
