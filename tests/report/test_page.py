import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.report import layout, page
from lisor.report.page import (
    Colors,
    Detail,
    Gallery,
    Line,
    Picture,
    Section,
    Table,
    Trace,
    Traces,
    Word,
)
from lisor.spreadsheets import original

SVG = "<?xml version='1.0'?><!DOCTYPE svg><svg><text>drawn</text></svg>"


def picture(name: str = "picture") -> Picture:
    return Picture(name=name, title="title", caption="caption", svg=SVG)


def table(rows: int = 1, name: str = "table") -> Table:
    cells = tuple((f"left {row}", f"right {row}") for row in range(rows))
    return Table(
        name=name, title="title", caption="caption", headings=("left", "right"), rows=cells
    )


def gallery(pictures: int = 1) -> Gallery:
    drawn = tuple(picture(f"gallery-{number}") for number in range(pictures))
    return Gallery(title="title", caption="caption", pictures=drawn)


def render(*blocks: Table | Picture | Gallery | Traces) -> str:
    return page.render(
        "title",
        "introduction",
        [Section(title="section", introduction="introduction", blocks=blocks)],
    )


texts = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=6)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.tuples(*[texts] * width), min_size=1, max_size=4)
    )
)
def test_csv_is_read_as_it_was_written(lines: list[tuple[str, ...]]) -> None:
    headings, *rows = lines
    written = Table(name="t", title="t", caption="t", headings=headings, rows=tuple(rows)).to_csv()
    read = csv.reader(io.StringIO(written, newline=""))
    assert [[original(cell) for cell in line] for line in read] == [list(line) for line in lines]


def test_no_cell_of_csv_is_a_formula() -> None:
    assert replace(table(), rows=(("=1+1", "-1.5"),)).to_csv() == "left,right\r\n'=1+1,-1.5\r\n"


def test_a_line_of_csv_ends_as_the_standard_says() -> None:
    assert (
        replace(table(), rows=(("1, 2", 'a "b"'),)).to_csv() == 'left,right\r\n"1, 2","a ""b"""\r\n'
    )


def test_the_page_escapes_every_text() -> None:
    made = []

    def bad() -> str:
        made.append(f"\"'><script>alert({len(made)})</script>&amp;")
        return made[-1]

    def bad_picture() -> Picture:
        return Picture(name=bad(), title=bad(), caption=bad(), svg=SVG)

    tabled = Table(
        name=bad(),
        title=bad(),
        caption=bad(),
        headings=(bad(),),
        rows=((bad(),),),
        bold=frozenset({(0, 0)}),
    )
    drawn = Gallery(title=bad(), caption=bad(), pictures=(bad_picture(),))
    line = Line(
        label=bad(),
        words=(Word(text=bad(), level=3, hint=bad()), Word(text=bad(), level=0, hint=bad())),
    )
    detail = Detail(title=bad(), blocks=(bad_picture(), replace(tabled, name=bad())))
    traces = Traces(
        title=bad(),
        caption=bad(),
        colors=Colors(more=bad(), less=bad(), what=bad()),
        traces=(Trace(title=bad(), lines=(line,), details=(detail,)),),
    )
    section = Section(
        title=bad(),
        introduction=bad(),
        notes=(bad(),),
        blocks=(tabled, bad_picture(), drawn, traces),
    )
    html = page.render(bad(), bad(), [section])
    for number in range(len(made)):
        assert f"&#34;&#39;&gt;&lt;script&gt;alert({number})&lt;/script&gt;&amp;amp;" in html
    assert html.count("<script") == html.count("</script") == 1


def test_the_only_script_is_the_pages_own() -> None:
    full, empty = render(table(), picture(), gallery()), render()
    scripts = [
        re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL) for html in (full, empty)
    ]
    assert len(scripts[0]) == 1
    assert scripts[0] == scripts[1]
    assert "&#" not in scripts[0][0]  # it is not escaped itself
    assert not re.search(r"\son\w+=|javascript:", full)


def test_the_page_needs_nothing_beside_itself() -> None:
    html = render(table(), picture(), gallery())
    assert not re.search(r"\s(src|href)=(?!\"#)|url\(|@import|<link", html)


def test_pictures_stand_in_the_page_without_their_declarations() -> None:
    html = render(picture(), gallery(2))
    assert html.count("<svg>") == 3
    assert html.count("<!DOCTYPE") == 0  # the page's own is in lower case
    assert "<?xml" not in html


def test_bold_cells_are_those_named() -> None:
    html = render(replace(table(3), bold=frozenset({(0, 1), (2, 0)})))
    assert re.findall(r'<td class="best">(.*?)</td>', html) == ["right 0", "left 2"]


def test_words_are_colored_by_their_level_and_looks_by_their_own_color() -> None:
    levels = [-3, -1, 0, 2]
    words = tuple(Word(text=f"w{level}", level=level, hint="") for level in levels)
    lines = (Line(label="counts", words=words), Line(label="looks", words=words[2:], looks=True))
    html = render(
        Traces(
            title="title",
            caption="caption",
            colors=Colors(more="for", less="against", what="it"),
            traces=(Trace(title="title", lines=lines),),
        )
    )
    found = re.findall(r'<span class="([\w-]*)" title="">(.*?)</span>', html)
    assert found == [
        ("against-3", "w-3"), ("against-1", "w-1"), ("", "w0"),
        ("for-2", "w2"), ("", "w0"), ("look-2", "w2"),
    ]  # fmt: skip


@pytest.mark.parametrize("tone", ["for", "against", "look"])
def test_colored_words_can_be_read_and_told_apart_without_color(tone: str) -> None:
    """Text on each color has the contrast that WCAG 2.1 asks of small text, and strong levels are
    underlined."""
    for level in (1, 2, 3):
        found = re.search(rf"\.{tone}-{level} {{ background: #(\w{{6}});(.*?)}}", layout.STYLE)
        assert found is not None
        ink = re.search(r"--ink: #(\w{6})", layout.STYLE)
        assert ink is not None
        assert (luminance(found[1]) + 0.05) / (luminance(ink[1]) + 0.05) >= 4.5
        assert ("underline" in found[2]) == (level > 1 or tone == "against")
        assert ("dotted" in found[2]) == (level == 1 and tone == "against")
        assert ("dashed" in found[2]) == (level > 1 and tone == "against")


def luminance(color: str) -> float:
    """Relative luminance of a color as six hexadecimal digits (WCAG 2.1)."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_long_cells_may_break() -> None:
    long = "words " * 20
    html = render(replace(table(), rows=((long, "short"),), bold=frozenset({(0, 0)})))
    assert f'<td class="best long">{long}</td>' in html
    assert '<td class="">short</td>' in html


@pytest.mark.parametrize(
    ("block", "folded"),
    [
        (table(page.MAX_ROWS), False),
        (table(page.MAX_ROWS + 1), True),
        (gallery(page.MAX_PICTURES), False),
        (gallery(page.MAX_PICTURES + 1), True),
        (picture(), False),
    ],
)
def test_only_what_is_long_is_folded(block: Table | Picture | Gallery, folded: bool) -> None:
    html = render(block)
    assert html.count("<details>") == html.count("</details>") == folded
    assert "<h3>title</h3>" in html


def test_each_table_and_picture_can_be_saved_under_its_name() -> None:
    html = render(table(name="numbers"), picture("plot"), gallery(2))
    found = re.findall(r'data-file="(.*?)"', html)
    assert found == ["numbers.csv", "plot.svg", "gallery-0.svg", "gallery-1.svg"]


def test_wide_pictures_stand_one_below_the_other() -> None:
    assert '<div class="gallery wide">' in render(replace(gallery(), wide=True))
    assert '<div class="gallery">' in render(gallery())


def test_a_section_knows_its_tables_and_pictures_in_order() -> None:
    blocks = (picture("a"), table(name="b"), gallery(2), table(name="c"), picture("d"))
    section = Section(title="", introduction="", blocks=blocks)
    assert [block.name for block in section.pictures()] == ["a", "gallery-0", "gallery-1", "d"]
    assert [block.name for block in section.tables()] == ["b", "c"]


def test_the_page_leads_to_each_section() -> None:
    sections = [Section(title=name, introduction="", blocks=()) for name in ("one", "two")]
    html = page.render("title", "introduction", sections)
    links = re.findall(r'<a href="#(.*?)">(.*?)</a>', html)
    assert [name for _, name in links] == ["one", "two"]
    assert re.findall(r'<section id="(.*?)">', html) == [target for target, _ in links]


SAVE = """
let save, saved;
const cell = (text) => ({ textContent: text });
const shown = { rows: ROWS.map((row) => ({ cells: row.map(cell) })) };
const listen = (_, then) => { save = then; };
const found = () => ({ querySelector: () => shown });
const button = { dataset: { file: "t.csv" }, closest: found, addEventListener: listen };
globalThis.document = { querySelectorAll: () => [button], createElement: () => ({ click() {} }) };
globalThis.Blob = class { constructor(parts) { saved = parts.join(""); } };
globalThis.URL = { createObjectURL: () => "", revokeObjectURL() {} };
globalThis.setTimeout = (then) => then();
SCRIPT
save();
process.stdout.write(saved);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_page_saves_a_table_as_the_run_writes_it() -> None:
    rows = (("=1+1", "-1.5"), ("+x", "+1e-3"), ("'=1", 'a "b", c\n'), ("\t", "it's"), ("−1", "-"))
    asked = json.dumps([["left", "right"], *rows])
    code = SAVE.replace("ROWS", asked).replace("SCRIPT", str(layout.SCRIPT))
    done = subprocess.run(["node", "-e", code], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode() == replace(table(), rows=rows).to_csv()
