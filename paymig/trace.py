"""From a failed resource back to the line of the spec it comes from."""

from compiler.compile import Compiled
from compiler.names import snake
from paymig.aws.events import Event
from schemas.diagnostics import Diagnostic, render_text

_CODE = "PMG902"


def explain_failure(compiled: Compiled, cause: Event | None) -> str:
    """Word the root cause of a failed stack with the line of the spec it comes from."""
    if cause is None:
        return "CloudFormation gave no reason; the stack's events may tell more"
    template = snake(cause.component) if cause.component else "root"
    source_map = compiled.source_map
    spec = source_map.spec
    place = "/".join(part for part in (cause.component, cause.logical_id) if part)
    finding = Diagnostic.at(
        source_map.locate(template, cause.logical_id),
        _CODE,
        f"{place} ({cause.type}) ended {cause.status}: {cause.reason}",
        file=spec.file,
    )
    return render_text([finding], {spec.file: spec.text})
