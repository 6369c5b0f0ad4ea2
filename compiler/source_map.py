"""From a resource of a template back to the line of the spec it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.component import Cause
from compiler.names import FULL_NAME
from schemas.diagnostics import Span
from schemas.spec import Spec

_OF_ALL = {"Metadata": FULL_NAME, "Tags": "tags", "Tags.Environment": "environment", "Tags.Migration": FULL_NAME}
"""Where the properties come from, or attributes, that every resource has."""


@dataclass(frozen=True)
class SourceMap:
    """For each template, by name, the cause of each resource, by logical id."""

    spec: Spec
    causes: Mapping[str, Mapping[str, Cause]]

    def path(self, template: str, logical_id: str | None = None, property_path: str = "") -> str:
        """Return the dotted spec path that a resource, or one of its properties, comes from; of several the first."""
        return self.paths(template, logical_id, property_path)[0]

    def paths(self, template: str, logical_id: str | None = None, property_path: str = "") -> Sequence[str]:
        """Return the dotted spec paths that a resource, or one of its properties, comes from.

        Args:
            template: its name, such as `network`.
            logical_id: the resource; None for the template as a whole.
            property_path: dotted below the resource's `Properties`; the nearest known ancestor counts.

        Returns:
            One path or more; an empty one, the spec as a whole, for what nothing is known about.
        """
        causes = self.causes.get(template, {})
        if logical_id is None or logical_id not in causes:
            return self.causes["root"][template].resource.split() if template in self.causes["root"] else [""]
        cause = causes[logical_id]
        while property_path:
            if found := cause.properties.get(property_path) or _OF_ALL.get(property_path):
                return found.split()
            property_path = property_path.rpartition(".")[0]
        return cause.resource.split()

    def locate(self, template: str, logical_id: str | None = None, property_path: str = "") -> Span:
        """Return where in the spec's file the cause stands; arguments as for `path`."""
        return self.spec.locate(self.path(template, logical_id, property_path))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data: paths with `line` and `column`, from 1, and `others` where there are several."""
        return {
            "format": 1,
            "spec": self.spec.file,
            "everywhere": {name: self._place(path) for name, path in _OF_ALL.items()},
            "templates": {
                template: {logical_id: self._entry(cause) for logical_id, cause in causes.items()}
                for template, causes in self.causes.items()
            },
        }

    def _entry(self, cause: Cause) -> dict[str, Any]:
        entry: dict[str, Any] = self._place(cause.resource)
        if cause.properties:
            entry["properties"] = {name: self._place(path) for name, path in cause.properties.items()}
        return entry

    def _place(self, paths: str) -> dict[str, Any]:
        first, *others = (
            {"path": path, "line": span.line, "column": span.column}
            for path in paths.split()
            for span in (self.spec.locate(path),)
        )
        return first | ({"others": others} if others else {})
