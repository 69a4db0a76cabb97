"""The report as a person uses it, in a real browser."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Download, Locator, Page, TimeoutError, expect

from tests.browser.conftest import IMAGE, SCRIPT, Run

pytestmark = pytest.mark.slow


@pytest.fixture
def report(page: Page, run: Run) -> Page:
    page.goto((run.report / "report.html").as_uri())
    return page


def open_all(page: Page) -> None:
    page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")


def saved(page: Page, button: Locator) -> Download:
    """What a click on a button saves; a second and third one where the browser, short of time,
    begins no download."""
    for last in (False, False, True):
        try:
            with page.expect_download(timeout=20_000) as download:
                button.click()
            return download.value
        except TimeoutError:
            if last:
                raise
    raise AssertionError("the last try returns or raises")


def test_what_is_folded_opens_and_closes_again(report: Page) -> None:
    folded = report.locator("section > details").filter(has_text="The selected automata")
    picture, title = folded.locator("svg").first, folded.locator("summary").first
    expect(picture).to_be_hidden()
    title.click()
    expect(picture).to_be_visible()
    title.click()
    expect(picture).to_be_hidden()


def test_a_sequence_opens_step_by_step(report: Page) -> None:
    trace = report.locator(".trace").filter(has=report.locator("details")).first
    inner = trace.locator("details details").first
    expect(inner.locator("table, svg").first).to_be_hidden()
    trace.locator("summary").first.click()
    inner.locator("summary").first.click()
    expect(inner.locator("table, svg").first).to_be_visible()


def test_the_links_at_the_top_lead_to_the_sections(report: Page) -> None:
    for link in report.locator("nav a").all():
        link.click()
        section = report.locator(str(link.get_attribute("href")))
        expect(section.locator("h2")).to_be_in_viewport()
        expect(section.locator("h2")).to_have_text(link.inner_text())


def test_every_table_is_saved_as_the_run_wrote_it(report: Page, run: Run) -> None:
    open_all(report)
    for button in report.locator("button[data-file$='.csv']").all():
        name = str(button.get_attribute("data-file"))
        file = run.report / "tables" / name
        if file.exists():  # the steps of single sequences are on the page alone
            download = saved(report, button)
            assert download.suggested_filename == name
            assert download.path().read_bytes() == file.read_bytes(), name


def test_a_picture_is_saved_as_svg(report: Page) -> None:
    button = report.locator("button[data-file='accuracy-against-states.svg']")
    download = saved(report, button)
    assert download.suggested_filename == "accuracy-against-states.svg"
    assert ElementTree.parse(download.path()).getroot().tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("width", [320, 768, 1600])
def test_the_page_is_never_wider_than_the_window(report: Page, run: Run, width: int) -> None:
    report.set_viewport_size({"width": width, "height": 800})
    for place in (run.report / "report.html", run.explanation):
        report.goto(place.as_uri())
        open_all(report)
        assert report.evaluate("document.documentElement.scrollWidth") <= width, place.name


def test_what_data_say_is_shown_and_never_run(page: Page, run: Run) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for place, title in (
        (run.report / "report.html", "browsed"),
        (run.explanation, "Why this answer?"),
    ):
        page.goto(place.as_uri())
        open_all(page)
        page.wait_for_load_state("networkidle")
        shown = page.locator("body").inner_text()
        assert IMAGE in shown  # the name of a class
        assert SCRIPT in shown  # a review
        assert page.title() == title
        assert page.locator("script").count() == 1
        assert (
            page.locator("img, iframe, object, embed, [onerror], [onload], [onclick]").count() == 0
        )
    assert asked == [(run.report / "report.html").as_uri(), run.explanation.as_uri()]


def test_notes_and_symbols_of_automata_are_shown_as_they_are(report: Page) -> None:
    open_all(report)
    expect(report.get_by_role("cell", name=f"{SCRIPT} reads 'good'").first).to_be_visible()
    labels = report.locator("svg text").filter(has_text=SCRIPT)
    expect(labels.first).to_be_visible()


def test_svg_files_do_not_run_either(page: Page, run: Run) -> None:
    files: list[Path] = [
        *run.report.rglob("automata/selected/*.svg"),
        *run.report.rglob("figures/*.svg"),
    ]
    hostile = [file for file in files if "taken" in file.read_text(encoding="utf-8")]
    assert hostile
    for file in hostile:
        page.goto(file.as_uri())
        assert page.locator("script, img").count() == 0
        assert page.title() != "taken"
