"""A picture of the compiled system: the components, and what flows between them.

Everything is read off the root template, so the picture can't say anything that the stacks don't.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

_NESTED = "AWS::CloudFormation::Stack"
_MARGIN, _BOX_WIDTH, _BOX_HEIGHT, _LINE, _REACH = 24, 170, 42, 16, 22
_TEXT_AT, _LETTERS, _LETTER = (
    480,
    96,
    6.6,
)  # the column of words: where it begins, how long a line is, how wide a letter
_COLOURS = (
    "#3b5bdb",
    "#d6336c",
    "#2b8a3e",
    "#e8590c",
    "#7048e8",
    "#0c8599",
    "#a61e4d",
    "#5c940d",
    "#1864ab",
    "#862e9c",
)


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
    """Draw the graph as a self-contained SVG: a box for each component, an arc for each wire, the values in words."""
    places: dict[str, int] = {}
    bottom = 2 * _MARGIN + 20
    for name in graph.nodes:
        takes = sum(taker == name for _, taker in graph.edges)
        places[name] = bottom
        bottom += max(_BOX_HEIGHT, takes * _LINE) + 18
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(graph.nodes)}
    width = round(_TEXT_AT + _LETTERS * _LETTER + _MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom}" width="{width}" height="{bottom}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, \'DejaVu Sans\', sans-serif" font-size="14">',
        "<style>.b{fill:#fff}.c{fill:#f4f6fb;stroke-width:1.6}.t{fill:#1b2559}.n{fill:#5c6a8a;font-size:12px}"
        ".e{fill:none;stroke-width:1.5;opacity:.75}.e:hover{stroke-width:4;opacity:1}"
        "@media(prefers-color-scheme:dark){.b{fill:#0f1420}.c{fill:#1c2333}.t{fill:#e7ecff}.n{fill:#a9b8de}}</style>",
        f'<rect class="b" width="{width}" height="{bottom}"/>',
        f'<text class="t" x="{_MARGIN}" y="{_MARGIN + 12}" font-weight="600">{escape(title)}</text>',
    ]
    for (giver, taker), names in graph.edges.items():
        parts.append(_arc(graph, places, colours[giver], giver, taker, ", ".join(names)))
    for name, top in places.items():
        parts.append(
            f'<rect class="c" stroke="{colours[name]}" x="{_MARGIN}" y="{top}" width="{_BOX_WIDTH}" '
            f'height="{_BOX_HEIGHT}" rx="7"/>'
            f'<text class="t" x="{_MARGIN + 12}" y="{top + 26}">{escape(_words(name))}</text>'
        )
        wires = [(giver, values) for (giver, taker), values in graph.edges.items() if taker == name]
        for line, (giver, values) in enumerate(sorted(wires, key=lambda wire: graph.nodes.index(wire[0]))):
            words = f": {', '.join(values)}"
            room = _LETTERS - len(giver)
            words = words if len(words) <= room else words[: room - 1].rsplit(",", 1)[0] + " …"
            parts.append(
                f'<text class="n" x="{_TEXT_AT}" y="{top + 12 + line * _LINE}">'
                f'<tspan fill="{colours[giver]}" font-weight="600">{escape(_words(giver))}</tspan>{escape(words)}'
                f"<title>{escape(', '.join(values))}</title></text>"
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arc(graph: Graph, places: Mapping[str, int], colour: str, giver: str, taker: str, values: str) -> str:
    """Draw one wire: out of the giver's lower half, into the taker's upper half, the wider the further it goes."""
    distance = abs(graph.nodes.index(taker) - graph.nodes.index(giver))
    x, bend = _MARGIN + _BOX_WIDTH, _MARGIN + _BOX_WIDTH + 14 + distance * _REACH
    y1, y2 = places[giver] + _BOX_HEIGHT - 12, places[taker] + 12
    return (
        f'<path class="e" stroke="{colour}" d="M{x} {y1}C{bend} {y1} {bend} {y2} {x + 7} {y2}">'
        f"<title>{escape(f'{_words(giver)} to {_words(taker)}: {values}')}</title></path>"
        f'<path fill="{colour}" d="M{x + 1} {y2}l7 -3.5v7z"/>'
    )


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
