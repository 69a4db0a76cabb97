import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.formats.jflap import read_jflap, to_jflap
from lisor.errors import AutomatonError, DataError
from tests.automata.formats.conftest import ODD_NAMES, aligned
from tests.strategies import automata, odd_alphabets

in_xml = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"),
    max_size=3,
)
alphabets = odd_alphabets.filter(
    lambda symbols: re.fullmatch(r"[^\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*", "".join(symbols))
)

# As JFLAP 7 saves it: words over a and b that begin with a; what b leads to is not drawn.
JFLAP = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>\
<!--Created with JFLAP 7.1.--><structure>&#13;
	<type>fa</type>&#13;
	<automaton>&#13;
		<!--The list of states.-->&#13;
		<state id="0" name="q0">&#13;
			<x>67.0</x>&#13;
			<y>97.0</y>&#13;
			<initial/>&#13;
		</state>&#13;
		<state id="3" name="q1">&#13;
			<x>188.0</x>&#13;
			<y>93.0</y>&#13;
			<final/>&#13;
		</state>&#13;
		<!--The list of transitions.-->&#13;
		<transition>&#13;
			<from>3</from>&#13;
			<to>3</to>&#13;
			<read>b</read>&#13;
		</transition>&#13;
		<transition>&#13;
			<from>0</from>&#13;
			<to>3</to>&#13;
			<read>a</read>&#13;
		</transition>&#13;
		<transition>&#13;
			<from>3</from>&#13;
			<to>3</to>&#13;
			<read>a</read>&#13;
		</transition>&#13;
	</automaton>&#13;
</structure>"""


def jff(inner: str, *, kind: str = "fa") -> str:
    return f"<structure><type>{kind}</type><automaton>{inner}</automaton></structure>"


START = '<state id="0"><initial/></state>'


def transition(read: str, *, source: str = "0", target: str = "0") -> str:
    return f"<transition><from>{source}</from><to>{target}</to><read>{read}</read></transition>"


@given(alphabets.flatmap(lambda alphabet: automata(alphabet=alphabet)), st.permutations(ODD_NAMES))
def test_what_is_written_is_read_as_the_same_language(automaton, names):
    automaton = replace(automaton, classes=tuple(names[: len(automaton.classes)]))
    read = read_jflap(to_jflap(automaton))
    assert sorted(read.alphabet) == sorted(automaton.alphabet)
    assert read.n_states == automaton.n_states
    assert aligned(read, automaton).distinguishing_word(automaton) is None


@given(automata(alphabet=("a", "b")))
def test_a_moore_machine_writes_with_each_transition_what_its_target_answers(automaton):
    root = ElementTree.fromstring(to_jflap(automaton))
    assert root.findtext("type") == ("fa" if len(automaton.classes) == 2 else "moore")
    outputs = {state.get("id"): state.findtext("output") for state in root.iter("state")}
    for edge in root.iter("transition"):
        assert edge.findtext("transout") == outputs[edge.findtext("to")]


def test_a_file_of_jflap_is_read_and_what_it_lacks_is_rejected():
    automaton = read_jflap(JFLAP)
    assert automaton == Automaton(
        alphabet=("a", "b"),
        classes=("reject", "accept"),
        transitions=np.array([[1, 2], [1, 1], [2, 2]]),
        outputs=[0, 1, 0],
    )


def test_a_file_of_an_older_jflap_has_its_states_beside_the_type():
    text = JFLAP.replace("<automaton>", "").replace("</automaton>", "")
    assert read_jflap(text) == read_jflap(JFLAP)


@pytest.mark.parametrize("symbol", ["", "\0", "a\x1b", "\ufffe", "\ud800"])
def test_a_symbol_that_the_file_cannot_hold_is_refused(symbol):
    automaton = Automaton(
        alphabet=(symbol, "b"), classes=("n", "y"), transitions=[[0, 0]], outputs=[1]
    )
    with pytest.raises(AutomatonError, match="export as json"):
        to_jflap(automaton)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which is XML"),
        ("{}", "which is XML"),
        ("<structure>", "which is XML"),
        ("<structure>\ud800</structure>", "which is XML"),
        (jff(START + transition("&a;")), "which is XML"),
        (BOMB + jff(START + transition("&b;")), "without a document type"),
        (OUTSIDE + jff(START + transition("&a;")), "without a document type"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">' + jff(START), "without a document type"),
        ("<svg/>", "got ''"),
        (jff(START, kind="mealy"), "got 'mealy'"),
        (jff(START, kind="turing"), "got 'turing'"),
        (jff(""), "one is initial, found 0"),
        (jff('<state id="0"/>' + transition("a")), "one is initial, found 0"),
        (
            jff(START + '<state id="1"><initial/></state>' + transition("a")),
            "one is initial, found 2",
        ),
        (jff(START + '<state id="0"/>' + transition("a")), "different ids"),
        (jff(START + transition("")), "Convert to DFA"),
        (
            jff(START + '<state id="1"/>' + transition("a") + transition("a", target="1")),
            "two transitions on 'a'",
        ),
        (jff(START + transition("a", target="1")), "not listed"),
        (jff(START + "<transition/>"), "Convert to DFA"),
        (
            jff(START + '<state id="1"/>' + transition("a"), kind="moore"),
            "state 1 has no transition on 'a'",
        ),
    ],
)
def test_a_text_that_is_no_deterministic_automaton_is_refused(text, message):
    with pytest.raises(AutomatonError, match=message):
        read_jflap(text)


PARTS = (
    START,
    '<state id="1"><final/></state>',
    transition("a"),
    transition("b", target="1"),
    "&lt;",
    "<a>",
    "</a>",
)


@given(
    st.text()
    | in_xml.map(transition).map(jff)
    | st.lists(st.sampled_from(PARTS), max_size=6).map("".join).map(jff)
)
def test_no_text_crashes_the_reader(text):
    try:
        automaton = read_jflap(text)
    except (AutomatonError, DataError):
        return
    assert Automaton.from_json(automaton.to_json()) == automaton


def test_a_file_without_symbols_is_refused():
    with pytest.raises(DataError, match="one or more different symbols"):
        read_jflap(jff(START))
