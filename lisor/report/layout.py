"""How the report looks: its style, its script, and the template that `page.render` fills.

Attributions are blue where they speak for an answer and orange where they speak against it, which
color-blind readers can distinguish (Okabe & Ito, 2008), and underlined, solid where strong for it
and dotted or dashed against it, so that print without color says the same."""

from markupsafe import Markup

from lisor import spreadsheets

STYLE = Markup("""
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
.small svg { max-width: 100%; height: auto; max-height: 32rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
.gallery figure { margin: 0; padding: .8rem; background: var(--tint); border-radius: 8px; min-width: 0; }
.gallery svg { max-width: 100%; height: auto; max-height: 26rem; }
.gallery.wide { grid-template-columns: minmax(0, 1fr); }
.gallery.wide svg { min-width: 60rem; max-height: none; }
.gallery .title { font-weight: 600; }
.trace { border-left: 3px solid var(--line); padding: 0 0 .3rem .8rem; margin: 1rem 0; break-inside: avoid; }
.trace .title { font-weight: 600; } .trace details details { margin-left: 1rem; }
.trace summary { margin: .2rem 0; color: var(--soft); font-size: .9rem; }
.line { display: flex; flex-wrap: wrap; gap: 0 .8rem; margin: .35rem 0; }
.line .who { flex: 0 0 11rem; color: var(--soft); font-size: .85rem; }
.line .words { flex: 1 1 20rem; line-height: 1.9; }
.legend span { color: var(--ink); }
.words span, .legend span { padding: .08em .1em; border-radius: 2px; text-underline-offset: .22em;
  -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.for-1 { background: #d9eaf7; } .for-2 { background: #a3cdee; text-decoration: underline 1px; }
.for-3 { background: #62aade; text-decoration: underline 2px; }
.against-1 { background: #fdecd9; text-decoration: underline dotted 1px; }
.against-2 { background: #fbc98f; text-decoration: underline dashed 1px; }
.against-3 { background: #f39a4a; text-decoration: underline dashed 2px; }
.look-1 { background: #dcefe7; } .look-2 { background: #9fd6c0; text-decoration: underline 1px; }
.look-3 { background: #4fb893; text-decoration: underline 2px; }
td.best { font-weight: 700; } td.long { white-space: normal; min-width: 24rem; }
button { font: inherit; font-size: .75rem; color: var(--soft); background: none; border: 1px solid var(--line);
         border-radius: 4px; padding: 0 .4rem; cursor: pointer; } button:hover { color: var(--ink); }
@media print { button { display: none; } }
li { color: var(--soft); }
@media print { .gallery figure { break-inside: avoid; } }
""")

SCRIPT = Markup(
    """
for (const button of document.querySelectorAll("button[data-file]")) button.addEventListener("click", () => {
  const shown = button.closest("figure, .table").querySelector("svg, table");
  const harmless = (text) => /^FORMULA/.test(text) && !/^(NUMBER)$/.test(text) ? "'" + text : text;
  const quoted = (text) => /[",\\r\\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  const line = (texts) => texts.map((text) => quoted(harmless(text))).join(",") + "\\r\\n";
  const content = shown.rows
    ? [...shown.rows].map((row) => line([...row.cells].map((it) => it.textContent))).join("")
    : new XMLSerializer().serializeToString(shown);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: shown.rows ? "text/csv" : "image/svg+xml" }));
  link.download = button.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);  // a slow browser reads it only now
});
""".replace("FORMULA", spreadsheets.FORMULA).replace("NUMBER", spreadsheets.NUMBER)
)

PAGE = """<!doctype html>
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
{% macro tabled(block) %}
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
{% endmacro %}
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
{% if sections | length > 1 %}
<nav>{% for section in sections %}<a href="#section-{{ loop.index }}">{{ section.title }}</a>{% endfor %}</nav>
{% endif %}
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
{{ drawn(block, "small" if block.small else "plot") }}
{% elif block is gallery %}
<p class="caption">{{ block.caption }}</p>
<div class="gallery{{ " wide" if block.wide }}">
{% for picture in block.pictures %}
{{ drawn(picture, "drawing") }}
{% endfor %}
</div>
{% elif block is traces %}
<p class="caption">{{ block.caption }}</p>
<p class="legend caption"><span class="for-3">strongly {{ block.colors.more }}</span>
<span class="for-1">{{ block.colors.more }}</span> {{ block.colors.what }},
<span class="against-1">{{ block.colors.less }}</span> <span class="against-3">strongly {{ block.colors.less }}</span> it
{%- if block.looks %}; <span class="look-1">looked at</span> <span class="look-3">closely</span>{% endif %}</p>
{% for trace in block.traces %}
<div class="trace">{% if trace.title %}<div class="title">{{ trace.title }}</div>{% endif %}

{% for line in trace.lines %}
<div class="line"><span class="who">{{ line.label }}</span><span class="words">
{%- for word in line.words %}
{% set tone = "look" if line.looks else "for" if word.level > 0 else "against" %}
{% set color = tone ~ "-" ~ word.level | abs if word.level else "" %}
<span class="{{ color }}" title="{{ word.hint }}">{{ word.text }}</span>
{% endfor -%}
</span></div>
{% endfor %}
{% if trace.details %}
<details><summary>Step by step</summary>
{% for detail in trace.details %}
<details><summary>{{ detail.title }}</summary>
{% for seen in detail.blocks %}
<div class="title">{{ seen.title }}</div>
{% if seen is picture %}{{ drawn(seen, "small") }}{% else %}{{ tabled(seen) }}{% endif %}
{% endfor %}
</details>
{% endfor %}
</details>
{% endif %}
</div>
{% endfor %}
{% else %}
{{ tabled(block) }}
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
