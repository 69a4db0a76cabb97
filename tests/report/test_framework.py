from xml.etree import ElementTree

from lisor.report import framework

SVG = "{http://www.w3.org/2000/svg}"


def test_the_framework_is_always_the_same_picture() -> None:
    assert framework.draw() == framework.draw()


def test_the_framework_is_read_from_sequences_to_the_automaton() -> None:
    drawn = ElementTree.fromstring(framework.draw())
    assert drawn.tag == f"{SVG}svg"
    titles = [text.text for text in drawn.iter(f"{SVG}text") if text.get("font-weight") == "bold"]
    assert titles == ["sequences", "network", "hidden states", "clusters", "automaton"]


def test_everything_is_drawn_inside_the_picture() -> None:
    drawn = ElementTree.fromstring(framework.draw())
    _, _, width, height = map(float, drawn.attrib["viewBox"].split())
    panels = drawn.findall(f"{SVG}g")
    for circle in drawn.iter(f"{SVG}circle"):
        x, y, radius = (float(circle.attrib[name]) for name in ("cx", "cy", "r"))
        assert 0 <= x - radius <= x + radius <= width / len(panels)
        assert 0 <= y - radius <= y + radius <= height


def test_no_labels_are_drawn_where_there_are_none() -> None:
    shown = {text.text for text in ElementTree.fromstring(framework.draw()).iter(f"{SVG}text")}
    unlabelled = framework.draw(is_labelled=False)
    rest = {text.text for text in ElementTree.fromstring(unlabelled).iter(f"{SVG}text")}
    assert {"yes", "no", "labelled words or texts"} <= shown
    assert not {"yes", "no", "labelled words or texts"} & rest
