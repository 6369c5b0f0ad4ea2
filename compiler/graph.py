"""A picture of the compiled system: the components, and what flows between them.

Everything is read off the root template, so the picture can't say anything that the stacks don't.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

_NESTED = "AWS::CloudFormation::Stack"
_BOX_WIDTH, _BOX_HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 168, 46, 150, 30, 24


@dataclass(frozen=True)
class Graph:
    """Components and their wires.

    Attributes:
        nodes: component names in the order of their dependencies.
        edges: for each (giver, taker), the names of the values that flow.
    """

    nodes: tuple[str, ...]
    edges: Mapping[tuple[str, str], tuple[str, ...]]


def read(root_template: bytes) -> Graph:
    """Read the graph off a root template."""
    stacks = {k: v for k, v in json.loads(root_template)["Resources"].items() if v["Type"] == _NESTED}
    edges: dict[tuple[str, str], list[str]] = defaultdict(list)
    for taker, body in stacks.items():
        for value in body["Properties"].get("Parameters", {}).values():
            if isinstance(value, dict) and "Fn::GetAtt" in value:
                giver, output = value["Fn::GetAtt"]
                edges[giver, taker].append(output.removeprefix("Outputs."))
    ranks = _ranks(stacks, edges)
    nodes = sorted(stacks, key=lambda name: (ranks[name], name))
    return Graph(tuple(nodes), {pair: tuple(sorted(names)) for pair, names in sorted(edges.items())})


def mermaid(graph: Graph) -> str:
    """Write the graph as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    lines += [f"  {name}[{_words(name)}]" for name in graph.nodes]
    lines += [f'  {giver} -->|"{"<br>".join(names)}"| {taker}' for (giver, taker), names in graph.edges.items()]
    return "\n".join(lines) + "\n"


def svg(graph: Graph, title: str) -> str:
    """Draw the graph as a self-contained SVG: givers left of takers, the values in each arrow's tooltip."""
    ranks = _ranks(graph.nodes, graph.edges)
    columns: dict[int, list[str]] = defaultdict(list)
    for name in graph.nodes:
        columns[ranks[name]].append(name)
    tallest = max(len(column) for column in columns.values())
    height = 2 * _MARGIN + 30 + tallest * (_BOX_HEIGHT + _GAP_Y)
    width = 2 * _MARGIN + len(columns) * _BOX_WIDTH + (len(columns) - 1) * _GAP_X
    place: dict[str, tuple[int, int]] = {}
    for rank, column in columns.items():
        top = (height + 30 - len(column) * (_BOX_HEIGHT + _GAP_Y) + _GAP_Y) // 2
        for row, name in enumerate(column):
            place[name] = (_MARGIN + rank * (_BOX_WIDTH + _GAP_X), top + row * (_BOX_HEIGHT + _GAP_Y))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="14">',
        "<style>.c{fill:#f4f6fb;stroke:#3b5bdb}.t{fill:#1b2559}.e{stroke:#7c8db5;fill:none;stroke-width:1.4}"
        ".e:hover{stroke:#d6336c;stroke-width:3}.n{fill:#5c6a8a;font-size:11px}"
        "@media(prefers-color-scheme:dark){.c{fill:#1c2333;stroke:#91a7ff}.t{fill:#e7ecff}.n{fill:#9fb0d8}}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#7c8db5"/></marker></defs>',
        f'<text class="t" x="{_MARGIN}" y="{_MARGIN + 8}" font-weight="600">{escape(title)}</text>',
    ]
    for (giver, taker), names in graph.edges.items():
        (x1, y1), (x2, y2) = place[giver], place[taker]
        values = ", ".join(names)
        x1, y1, y2 = x1 + _BOX_WIDTH, y1 + _BOX_HEIGHT // 2, y2 + _BOX_HEIGHT // 2
        bend = (x2 - x1) // 2
        parts.append(
            f'<path class="e" marker-end="url(#a)" d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}">'
            f"<title>{escape(f'{_words(giver)} to {_words(taker)}: {values}')}</title></path>"
        )
    for name, (x, y) in place.items():
        given = sum(len(n) for (giver, _), n in graph.edges.items() if giver == name)
        parts.append(
            f'<rect class="c" x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="7"/>'
            f'<text class="t" x="{x + 12}" y="{y + 20}">{escape(_words(name))}</text>'
            f'<text class="n" x="{x + 12}" y="{y + 36}">gives {given} values</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _words(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() and i else c for i, c in enumerate(name))


def _ranks(nodes: Mapping[str, object] | tuple[str, ...], edges: Mapping[tuple[str, str], object]) -> dict[str, int]:
    """Rank each node one above the highest that gives to it."""
    givers: dict[str, list[str]] = {name: [] for name in nodes}
    for giver, taker in edges:
        givers[taker].append(giver)
    ranks: dict[str, int] = {}

    def rank(name: str) -> int:
        if name not in ranks:
            ranks[name] = 1 + max((rank(giver) for giver in givers[name]), default=-1)
        return ranks[name]

    for name in givers:
        rank(name)
    return ranks
