"""A plan as JSON and as a tree for people."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

from rich.text import Text

from compiler.plan.change import Action, Cause, Change, Plan, PropertyChange
from compiler.plan.replacements import Effect
from compiler.plan.stateful import LOST, endangered
from compiler.plan.wording import entries, shortened

Node: TypeAlias = "tuple[Text, list[Node]]"
"""A line and what hangs below it."""

_MARKS = {
    (Action.ADD, Effect.IN_PLACE): ("+", "green"),
    (Action.CHANGE, Effect.IN_PLACE): ("~", "yellow"),
    (Action.CHANGE, Effect.POSSIBLE_REPLACEMENT): ("?", "red"),
    (Action.CHANGE, Effect.REPLACEMENT): ("±", "red"),
    (Action.REMOVE, Effect.IN_PLACE): ("-", "red"),
}


def as_json(plan: Plan, allowed: Collection[str]) -> dict[str, Any]:
    """Return a plan as JSON data."""
    return {
        "changes": [
            {
                "action": change.action.value,
                "stack": change.stack,
                "logical_id": change.logical_id,
                "type": change.type,
                "effect": change.effect.words,
                "stateful": change.type in LOST,
                "retained": change.retained,
                "cause": _cause(change.cause),
                "properties": [
                    {
                        "path": found.path,
                        "old": found.old,
                        "new": found.new,
                        "effect": found.effect.words,
                        "because": found.because,
                        "cause": _cause(found.cause),
                    }
                    for found in change.properties
                ],
            }
            for change in plan.changes
        ],
        "refused": [change.place for change in endangered(plan, allowed)],
    }


def text(plan: Plan) -> Text:
    """Return a plan for people: a tree by stack, a new stack as one line."""
    if not plan.changes:
        return Text("Plan: nothing to change")
    whole = {change.logical_id for change in plan.changes if change.action is Action.ADD and not change.stack}
    nodes: list[Node] = []
    for stack in sorted({change.stack or change.logical_id for change in plan.changes}):
        own = [change for change in plan.changes if change.stack == stack]
        if stack in whole:
            count = f"  {len(own)} resources" if own else ""
            nodes.append((Text.assemble(("+ ", "bold green"), (stack, "bold"), count), []))
        else:
            changes = [*(one for one in plan.changes if one.place == stack), *own]
            nodes.append((Text(stack, "bold"), [_node(change) for change in changes]))
    return Text("\n").join([_summary(plan), *_lines(nodes)])


def _lines(nodes: Sequence[Node], indent: str = "") -> Iterator[Text]:
    """Draw the branches; rich's own tree would cut each line at the width of the terminal."""
    for position, (label, children) in enumerate(nodes):
        last = position == len(nodes) - 1
        yield Text.assemble((indent + ("└── " if last else "├── "), "dim"), label)
        yield from _lines(children, indent + ("    " if last else "│   "))


def _summary(plan: Plan) -> Text:
    counts = {
        "to add": plan.count(Action.ADD),
        "to change in place": plan.count(Action.CHANGE, Effect.IN_PLACE),
        "to replace": plan.count(Action.CHANGE, Effect.REPLACEMENT),
        "that may be replaced": plan.count(Action.CHANGE, Effect.POSSIBLE_REPLACEMENT),
        "to remove": plan.count(Action.REMOVE),
    }
    return Text("Plan: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count))


def _node(change: Change) -> Node:
    mark, style = _MARKS[change.action, change.effect]
    line = Text.assemble((f"{mark} ", f"bold {style}"), change.logical_id, (f"  {change.type}", "dim"))
    if change.action is Action.REMOVE or change.effect > Effect.IN_PLACE:
        line.append(f"  {fate(change)}", "red" if change.type in LOST else "")
    if not change.properties:
        line.append(f"  {_place(change.cause)}", "dim")
    return line, [(_property(found), []) for found in change.properties]


def _property(found: PropertyChange) -> Text:
    line = Text(f"{found.path}: ")
    line.append_text(_values(found) if found.because is None else Text(f"follows {found.because}"))
    if found.effect > Effect.IN_PLACE:
        line.append(f"  ({found.effect.words})", "red")
    return line.append(f"  {_place(found.cause)}", "dim")


def _values(found: PropertyChange) -> Text:
    before, after = entries(found.old), entries(found.new)
    if before is not None and after is not None and set(before) != set(after):
        gone = [("- " + one, "red") for one in before if one not in after]
        come = [("+ " + one, "green") for one in after if one not in before]
        return Text(", ").join(Text(*one) for one in (*gone, *come))
    old, new = shortened(found.old, found.new)
    if found.old is None:
        return Text.assemble(("+ ", "green"), new)
    if found.new is None:
        return Text.assemble(("- ", "red"), old)
    return Text.assemble(old, (" → ", "bold"), new)


def fate(change: Change) -> str:
    """Say what happens to a resource that is removed or replaced."""
    if change.action is Action.REMOVE:
        return "leaves the stack, but is kept" if change.retained else "deleted"
    return {Effect.REPLACEMENT: "replaced", Effect.POSSIBLE_REPLACEMENT: "may be replaced"}[change.effect]


def _place(cause: Cause) -> str:
    others = "".join(f", :{other.line} {other.path}" for other in cause.others)
    return f"{cause.file}:{cause.line}" + (f" {cause.path}" if cause.path else "") + others


def _cause(cause: Cause) -> dict[str, Any]:
    place = {"file": cause.file, "path": cause.path, "line": cause.line, "column": cause.column}
    return {**place, "others": [_cause(other) for other in cause.others]}
