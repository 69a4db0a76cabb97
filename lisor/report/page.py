"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment
from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An SVG with one plain sentence that says what it shows."""

    title: str
    caption: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of texts under headings, with one plain sentence that says what they are."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """What there is to say of one data set."""

    title: str
    introduction: str
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[Picture, ...]
    automata: tuple[Picture, ...]
    wide: bool = False
    """Whether the automata need the whole width: one below the other."""


def render(title: str, introduction: str, summary: Table, sections: Sequence[Section]) -> str:
    """The page. Every text is escaped; only the SVG of pictures, which this program draws, goes in as it is."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["inline"] = _inline
    page = environment.from_string(_PAGE)
    return page.render(title=title, introduction=introduction, summary=summary, sections=sections, style=_STYLE)


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
nav a { margin-right: 1rem; }
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
li { color: var(--soft); }
@media print { .gallery figure { break-inside: avoid; } }
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
{% macro show(table) %}
<p class="caption">{{ table.caption }}</p>
<div class="scroll"><table>
<thead><tr>{% for heading in table.headings %}<th>{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% endmacro %}
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
<nav>{% for section in sections %}<a href="#section-{{ loop.index }}">{{ section.title }}</a>{% endfor %}</nav>
{{ show(summary) }}
{% for section in sections %}
<section id="section-{{ loop.index }}">
<h2>{{ section.title }}</h2>
<p>{{ section.introduction }}</p>
{% if section.notes %}
<ul>{% for note in section.notes %}<li>{{ note }}</li>{% endfor %}</ul>
{% endif %}
{% for picture in section.figures %}
<h3>{{ picture.title }}</h3>
<figure class="plot"><div class="scroll">{{ picture.svg | inline }}</div>
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
{% for table in section.tables %}
{{ show(table) }}
{% endfor %}
<h3>Automata</h3>
<div class="gallery{{ " wide" if section.wide }}">
{% for picture in section.automata %}
<figure><div class="title">{{ picture.title }}</div><div class="scroll">{{ picture.svg | inline }}</div>
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
</div>
</section>
{% endfor %}
</body>
</html>
"""
