"""What a document is made of, and how it is written as Markdown and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

_STYLE = files("paymig.rehearsal.page") / "style.css"


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list; `boxes` gives each item a box to tick."""

    items: Sequence[str]
    boxes: bool = False


@dataclass(frozen=True)
class Grid:
    """A table."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Code:
    """Text as a terminal shows it."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Drawing:
    """A drawing: SVG for HTML, and words for Markdown."""

    svg: str
    words: str


Block = Heading | Text | Items | Grid | Code | Drawing


def markdown(blocks: Sequence[Block]) -> str:
    """Write Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Items(items, boxes):
            return "\n".join(f"- {'[ ] ' if boxes else ''}{item}" for item in items)
        case Grid(heads, rows):
            lines = [heads, ["---"] * len(heads), *rows]
            return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
        case Code(text, kind):
            fence = "```"
            while fence in text:
                fence += "`"
            return f"{fence}{kind}\n{text.rstrip()}\n{fence}"
        case Drawing(_, words):
            return words


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def html(title: str, blocks: Sequence[Block]) -> str:
    """Write one HTML page that needs nothing besides."""
    body = "".join(_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text()}</style></head><body><main>{body}</main></body></html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Items(items, boxes):
            box, kind = ('<input type="checkbox"> ', ' class="boxes"') if boxes else ("", "")
            return f"<ul{kind}>" + "".join(f"<li><label>{box}{escape(item)}</label></li>" for item in items) + "</ul>"
        case Grid(heads, rows):
            head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
            lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            return (
                f'<div class="wide" tabindex="0" role="region" aria-label="Table: {escape(heads[0])}">'
                f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
            )
        case Code(text):
            return f'<pre tabindex="0">{escape(text.rstrip())}</pre>'
        case Drawing(svg, words):
            return (
                f'<div class="wide" tabindex="0" role="region" aria-label="Diagram">{svg}</div>'
                f'<details><summary>In words</summary><pre tabindex="0">{escape(words)}</pre></details>'
            )
