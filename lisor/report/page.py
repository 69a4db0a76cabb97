"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment
from markupsafe import Markup

MOST_PICTURES, MOST_ROWS = 8, 24
"""Longer galleries and tables are folded."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An SVG with one plain sentence that says what it shows; `name` is that of its file."""

    name: str
    title: str
    caption: str
    svg: str


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
        return len(self.pictures) > MOST_PICTURES


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of texts under headings, with one plain sentence that says what they are; `name` is that of its file.

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
        return len(self.rows) > MOST_ROWS

    def to_csv(self) -> str:
        """The headings and rows as CSV (RFC 4180)."""
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\r\n").writerows([self.headings, *self.rows])
        return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Section:
    """What there is to say of one data set, in the order in which it is read."""

    title: str
    introduction: str
    blocks: tuple[Table | Picture | Gallery, ...]
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
    """The page. Every text is escaped; only the SVG of pictures, which this program draws, goes in as it is."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["inline"] = _inline
    environment.tests.update({kind.__name__.lower(): _is(kind) for kind in (Table, Picture, Gallery)})
    page = environment.from_string(_PAGE)
    return page.render(title=title, introduction=introduction, sections=sections, style=_STYLE, script=_SCRIPT)


def _is(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _inline(svg: str) -> Markup:
    """An SVG without the XML declaration, which HTML does not allow inside a page."""
    return Markup(svg[svg.index("<svg") :])  # drawn by lisor.report, which escapes the texts in it


_STYLE = Markup("""
:root { color-scheme: light; --ink: #1c1e21; --soft: #5b626b; --line: #dfe3e8; --paper: #ffffff; --tint: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; color: var(--ink); background: var(--paper);
       font: 16px/1.5 system-ui, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 46rem; } .caption, figcaption { color: var(--soft); font-size: .9rem; }
summary { cursor: pointer; margin: 1.6rem 0 .3rem; } summary h3 { display: inline; }
nav a { margin-right: 1rem; white-space: nowrap; display: inline-block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
figure { margin: 1rem 0; } .plot svg { max-width: 100%; min-width: 38rem; height: auto; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
.gallery figure { margin: 0; padding: .8rem; background: var(--tint); border-radius: 8px; min-width: 0; }
.gallery svg { max-width: 100%; height: auto; max-height: 26rem; }
.gallery.wide { grid-template-columns: minmax(0, 1fr); }
.gallery.wide svg { min-width: 60rem; max-height: none; }
.gallery .title { font-weight: 600; }
td.best { font-weight: 700; } td.long { white-space: normal; min-width: 24rem; }
button { font: inherit; font-size: .75rem; color: var(--soft); background: none; border: 1px solid var(--line);
         border-radius: 4px; padding: 0 .4rem; cursor: pointer; } button:hover { color: var(--ink); }
@media print { button { display: none; } }
li { color: var(--soft); }
@media print { .gallery figure { break-inside: avoid; } }
""")

_SCRIPT = Markup("""
for (const button of document.querySelectorAll("button[data-file]")) button.addEventListener("click", () => {
  const shown = button.closest("figure, .table").querySelector("svg, table");
  const cell = (text) => /[",\\r\\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  const content = shown.rows
    ? [...shown.rows].map((row) => [...row.cells].map((it) => cell(it.textContent)).join(",")).join("\\r\\n") + "\\r\\n"
    : new XMLSerializer().serializeToString(shown);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: shown.rows ? "text/csv" : "image/svg+xml" }));
  link.download = button.dataset.file;
  link.click();
  URL.revokeObjectURL(link.href);
});
""")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
{% macro save(name, ending) %}
<button type="button" data-file="{{ name }}.{{ ending }}">{{ ending | upper }}</button>
{% endmacro %}
{% macro drawn(picture, kind) %}
<figure class="{{ kind }}">{% if kind == "drawing" %}<div class="title">{{ picture.title }}</div>{% endif %}
<div class="scroll">{{ picture.svg | inline }}</div>
<figcaption>{{ picture.caption }} {{ save(picture.name, "svg") }}</figcaption></figure>
{% endmacro %}
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
<nav>{% for section in sections %}<a href="#section-{{ loop.index }}">{{ section.title }}</a>{% endfor %}</nav>
{% for section in sections %}
<section id="section-{{ loop.index }}">
<h2>{{ section.title }}</h2>
<p>{{ section.introduction }}</p>
{% if section.notes %}
<ul>{% for note in section.notes %}<li>{{ note }}</li>{% endfor %}</ul>
{% endif %}
{% for block in section.blocks %}
{% if block.folded %}
<details><summary><h3>{{ block.title }}</h3></summary>
{% else %}
<h3>{{ block.title }}</h3>
{% endif %}
{% if block is picture %}
{{ drawn(block, "plot") }}
{% elif block is gallery %}
<p class="caption">{{ block.caption }}</p>
<div class="gallery{{ " wide" if block.wide }}">
{% for picture in block.pictures %}
{{ drawn(picture, "drawing") }}
{% endfor %}
</div>
{% else %}
<div class="table">
<p class="caption">{{ block.caption }} {{ save(block.name, "csv") }}</p>
<div class="scroll"><table>
<thead><tr>{% for heading in block.headings %}<th>{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in block.rows %}
{% set number = loop.index0 %}
<tr>
{% for cell in row %}
<td class="{{ "best" if (number, loop.index0) in block.bold }}{{ " long" if cell | length > 60 }}">{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
</div>
{% endif %}
{% if block.folded %}
</details>
{% endif %}
{% endfor %}
</section>
{% endfor %}
<script>{{ script }}</script>
</body>
</html>
"""
