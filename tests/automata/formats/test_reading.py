import numpy as np
import pytest

from lisor.automata.automaton import Automaton
from lisor.automata.formats.reading import read_automaton
from lisor.automata.formats.writing import export
from lisor.errors import AutomatonError, LanguageError

ENDS_IN_1 = Automaton(
    alphabet=("0", "1"),
    classes=("reject", "accept"),
    transitions=np.array([[0, 1], [0, 1]]),
    outputs=[0, 1],
)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(
            ("é.json", "json"),
            ("one.txt", "json"),
            ("one", "json"),
            ("one.dot", "dot"),
            ("ONE.DOT", "dot"),
        ),
        *(("one.gv", "dot"), ("one.dot", "aalpy"), ("one.jff", "jff")),
    ],
)
def test_a_file_is_read_as_its_ending_says(tmp_path, name, form):
    (tmp_path / name).write_bytes(export(ENDS_IN_1, form))
    assert read_automaton(tmp_path / name) == ENDS_IN_1


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "one.jff").write_bytes(content)
    with pytest.raises(LanguageError, match=r"the automaton .*one\.jff cannot be read"):
        read_automaton(tmp_path / "one.jff")


def test_a_file_of_another_format_is_refused_by_what_is_read_and_what_it_holds(tmp_path):
    (tmp_path / "machine.c").write_text("#include <stdio.h>\nint main() {}\n")
    with pytest.raises(
        AutomatonError,
        match=r"ends in \.dot, \.gv, \.jff, \.pautomac; .*machine\.c begins with '#include",
    ):
        read_automaton(tmp_path / "machine.c")
