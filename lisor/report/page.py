"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment
from markupsafe import Markup

from lisor.report.layout import PAGE, SCRIPT, STYLE
from lisor.spreadsheets import harmless

MAX_PICTURES, MAX_ROWS = 8, 24
"""Longer galleries and tables are folded."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An SVG with one plain sentence that says what it shows; `name` is that of its file. A `small`
    one keeps its size, others are as wide as the page."""

    name: str
    title: str
    caption: str
    svg: str
    small: bool = False


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures that belong together; `wide` ones stand one below the other."""

    title: str
    caption: str
    pictures: tuple[Picture, ...]
    wide: bool = False

    @property
    def folded(self) -> bool:
        """Whether there are so many that they are shown on demand only."""
        return len(self.pictures) > MAX_PICTURES


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of texts under headings, with one plain sentence that says what they are; `name` is that
    of its file.

    `bold` holds the row and column of each text to set in bold type."""

    name: str
    title: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: frozenset[tuple[int, int]] = frozenset()

    @property
    def folded(self) -> bool:
        """Whether there are so many rows that they are shown on demand only."""
        return len(self.rows) > MAX_ROWS

    def to_csv(self) -> str:
        """The headings and rows as CSV (RFC 4180), without cells that a spreadsheet would run."""
        buffer = io.StringIO()
        rows = ([harmless(cell) for cell in row] for row in (self.headings, *self.rows))
        csv.writer(buffer, lineterminator="\r\n").writerows(rows)
        return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Word:
    """A symbol in a line of colored text: from -3, strongly against, over 0, neither, to 3,
    strongly for."""

    text: str
    level: int
    hint: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A sequence in colors, of attributions, or where `looks` of attention."""

    label: str
    words: tuple[Word, ...]
    looks: bool = False


@dataclass(frozen=True, kw_only=True)
class Detail:
    """Tables and pictures that are shown on demand."""

    title: str
    blocks: tuple[Table | Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A sequence as lines of colored text, and details on demand."""

    title: str
    lines: tuple[Line, ...]
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Colors:
    """What colors mean: symbols above 0 are `more`, those below `less`, of `what`."""

    more: str
    less: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Traces:
    """Sequences that are shown one after the other."""

    title: str
    caption: str
    colors: Colors
    traces: tuple[Trace, ...]
    folded: bool = False

    @property
    def looks(self) -> bool:
        """Whether some line shows attention."""
        return any(line.looks for trace in self.traces for line in trace.lines)


Block = Table | Picture | Gallery | Traces


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the page: one subject, in the order in which it is read."""

    title: str
    introduction: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()

    def pictures(self) -> Iterator[Picture]:
        """Every picture, those of galleries too."""
        for block in self.blocks:
            if isinstance(block, Picture):
                yield block
            elif isinstance(block, Gallery):
                yield from block.pictures

    def tables(self) -> Iterator[Table]:
        """Every table."""
        return (block for block in self.blocks if isinstance(block, Table))


def render(title: str, introduction: str, sections: Sequence[Section]) -> str:
    """The page. Every text is escaped; only the SVG of pictures, which this program draws, goes in
    as it is."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["inline"] = _inline
    environment.tests.update(
        {kind.__name__.lower(): _is(kind) for kind in (Table, Picture, Gallery, Traces)}
    )
    page = environment.from_string(PAGE)
    return page.render(
        title=title, introduction=introduction, sections=sections, style=STYLE, script=SCRIPT
    )


def _is(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _inline(svg: str) -> Markup:
    """An SVG without the XML declaration, which HTML does not allow inside a page."""
    return Markup(svg[svg.index("<svg") :])  # drawn by lisor.report, which escapes the texts in it
