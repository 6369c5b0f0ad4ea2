"""What an operator sees: results on standard output, progress and questions on standard error."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console as RichConsole
from rich.console import RenderableType

from paymig.errors import NotConfirmed


class Console:
    """One command's voice.

    Args:
        output: "text" or "json"; with "json" the result is one JSON document.
        stream: with "json", print events as well, one JSON object a line, and the result as the last line.
    """

    def __init__(self, output: str = "text", stream: bool = False) -> None:
        self.json = output == "json"
        self.stream = self.json and stream
        self.out = RichConsole(file=sys.stdout, highlight=False, soft_wrap=True)
        self.err = RichConsole(file=sys.stderr, highlight=False, soft_wrap=True)

    def say(self, line: RenderableType) -> None:
        """Report progress."""
        self.err.print(line)

    def event(self, data: Mapping[str, Any]) -> None:
        """Print something that happened, where events are streamed."""
        if self.stream:
            click.echo(json.dumps(data, default=str))

    def result(self, data: Mapping[str, Any], text: RenderableType) -> None:
        """Print the command's result once: `data` as JSON, or `text` for a person."""
        if self.stream:
            self.event({"event": "result", **data})
        elif self.json:
            click.echo(json.dumps(data, indent=2, default=str))
        else:
            self.out.print(text)

    def confirm(self, question: str, yes: bool) -> None:
        """Ask, unless told not to.

        Raises:
            NotConfirmed: the answer is no, or there is nobody to ask.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise NotConfirmed(f"{question} Nobody is there to answer.", "add --yes to go on without a question")
        if not click.confirm(question, err=True):
            raise NotConfirmed("Declined; nothing was changed.")
