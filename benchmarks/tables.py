"""Tables, as the terminal and as Markdown files show them, and how numbers are written in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """Rows of text under a title; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return the table as GitHub's Markdown."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "".join(f"\n- {note}" for note in self.notes)
        return f"## {self.title}\n\n{text}\n" + (f"{notes}\n" if notes else "")

    def show(self, console: Console) -> None:
        """Print the table."""
        table = RichTable(title=f"\n{self.title}", title_justify="left", box=SIMPLE_HEAD)
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for row in self.rows:
            table.add_row(*map(escape, row))
        console.print(table)
        for note in self.notes:
            console.print(f"  {escape(note)}", style="dim")


def number(value: float) -> str:
    """Return three digits of a number, a dash for none."""
    if math.isnan(value) or value == 0:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def duration(milliseconds: float) -> str:
    """Return a time in the unit that suits it."""
    if math.isnan(milliseconds) or milliseconds == 0:
        return "-"
    if milliseconds < 0.1:
        return f"{number(milliseconds * 1e3)} us"
    if milliseconds >= 1e3:
        return f"{number(milliseconds / 1e3)} s"
    return f"{number(milliseconds)} ms"


def percent(part: float, whole: float) -> str:
    """Return a share; a dash where there is none."""
    return f"{100 * part / whole:.0f} %" if part > 0 and whole > 0 else "-"
