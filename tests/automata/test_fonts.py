import os
import subprocess
import sys
from pathlib import Path

import pytest

DRAW = """
import os
from lisor.automata.languages import LANGUAGES
from lisor.automata import drawing
os.write(2, b"before\\n")
print(drawing.to_svg(LANGUAGES["000"].automaton).count("<ellipse"))
os.write(2, b"after\\n")
"""

SETTINGS = """<?xml version="1.0"?>
<fontconfig><dir>/usr/share/fonts</dir><reset-dirs/><cachedir>/proc/none</cachedir></fontconfig>"""


@pytest.mark.parametrize("settings", [SETTINGS, "no XML", None], ids=["newer", "broken", "missing"])
def test_fontconfig_says_nothing_and_what_others_say_is_shown(
    tmp_path: Path, settings: str | None
) -> None:
    path = tmp_path / "fonts.conf"
    if settings is not None:
        path.write_text(settings)
    home = {"FONTCONFIG_FILE": str(path), "HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"}
    command = [sys.executable, "-c", DRAW]
    environment = {**os.environ, **home}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("5\n", "before\nafter\n")


def test_a_closed_standard_error_costs_no_drawing() -> None:
    code = "\n".join(line for line in DRAW.splitlines() if "os.write" not in line)
    command = ["sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "5\n"


MEANWHILE = """
import os, pygraphviz
from lisor.automata import fonts
class Graph(pygraphviz.AGraph):
    def draw(self, **given):
        os.write(2, b"meanwhile\\n")
        return super().draw(**given)
pygraphviz.AGraph = Graph
fonts.load_fonts()
fonts.load_fonts()
"""


def test_what_is_said_while_fonts_are_loaded_is_shown_after_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEANWHILE], capture_output=True, text=True, timeout=120
    )
    assert done.stderr == "meanwhile\n"
