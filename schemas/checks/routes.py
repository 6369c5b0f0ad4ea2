"""The routes of the API, and what an application load balancer takes."""

from collections.abc import Iterator
from itertools import combinations

from schemas.diagnostics import Diagnostic, SpecPath
from schemas.routes import overlap, priority
from schemas.spec import Spec
from schemas.words import quote

_ROUTES, _PATHS, _WILDCARDS = 99, 5, 6  # of a load balancer, one of its hundred targets is the API's; of a rule
_SPLIT = "write two routes"


def apart(spec: Spec) -> Iterator[Diagnostic]:
    """No request fits two routes, and no two routes have the same rule."""
    paths = [
        (name, ("api", "routes", name, "paths", index), pattern)
        for name, route in spec.migration.api.routes.items()
        for index, pattern in enumerate(route.paths)
    ]
    for (first, _, one), (second, path, other) in combinations(paths, 2):
        if first != second and overlap(one, other):
            message = f"{quote(other)} overlaps {quote(one)} of the route {quote(first)}"
            yield spec.finding("PMG230", path, message, "write paths that no request fits both of")
    for first, second in combinations(spec.migration.api.routes, 2):
        if priority(first) == priority(second):
            message = (
                f"the routes {quote(first)} and {quote(second)} have the same priority, which follows from the name"
            )
            yield spec.finding("PMG230", ("api", "routes", second), message, "give one another name", at_key=True)


def limits(spec: Spec) -> Iterator[Diagnostic]:
    """A load balancer takes so many rules, a rule so many paths and wildcards."""
    routes = spec.migration.api.routes
    if len(routes) > _ROUTES:
        path: SpecPath = ("api", "routes", list(routes)[_ROUTES])
        message = f"a load balancer takes {_ROUTES} routes, here are {len(routes)}"
        yield spec.finding("PMG231", path, message, "let one function take the paths of several", at_key=True)
    for name, route in routes.items():
        path = ("api", "routes", name, "paths")
        if len(route.paths) > _PATHS:
            message = f"a route takes {_PATHS} paths, here are {len(route.paths)}"
            yield spec.finding("PMG231", (*path, _PATHS), message, _SPLIT)
        wildcards = sum(pattern.count("*") + pattern.count("?") for pattern in route.paths)
        if wildcards > _WILDCARDS:
            message = f"the paths of a route take {_WILDCARDS} wildcards, here are {wildcards}"
            yield spec.finding("PMG231", path, message, _SPLIT)
