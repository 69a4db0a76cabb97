import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisor.automata.automaton import Automaton
from lisor.automata.distributions import (
    Distributions,
    divergence,
    perplexity,
    sequence_log_probabilities,
)
from lisor.automata.formats.onnx_model import to_onnx
from lisor.automata.formats.python_code import to_python
from lisor.automata.formats.reading import read_automaton
from lisor.automata.formats.writing import CLASSES_ALONE, export
from lisor.automata.languages import LANGUAGES
from lisor.automata.pdfa import complete, make_pdfa, refitted, sample, uniform_pdfa
from lisor.automata.regex import compile_regex
from lisor.errors import AutomatonError
from lisor.sequences import Sequences
from lisor.targets.next import END, following
from tests.automata.c_program import run_c
from tests.strategies import ragged_sequences


@st.composite
def pdfas(draw: st.DrawFn, symbols: int = 2) -> Automaton:
    """Any PDFA of a few states, some of whose probabilities are 0."""
    states, seed = draw(st.integers(1, 5)), draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(symbols + 1), size=states)
    shares *= rng.random(shares.shape) > 0.2
    shares[:, -1] += 0.01
    shares /= shares.sum(axis=1, keepdims=True)
    table = rng.integers(states, size=(states, symbols))
    return make_pdfa("ab"[:symbols], table, shares, int(rng.integers(states)))


def probability(automaton: Automaton, word: tuple[int, ...]) -> float:
    """That of a word, symbol by symbol."""
    state, share = automaton.start, 1.0
    for symbol in word:
        share *= automaton.probabilities[state, symbol]
        state = automaton.transitions[state, symbol]
    return float(share * automaton.probabilities[state, -1])


def short_words(symbols: int, longest: int) -> Sequences:
    return Sequences.from_lists(
        [word for length in range(longest + 1) for word in product(range(symbols), repeat=length)]
    )


@given(pdfas(), ragged_sequences())
def test_the_distribution_at_a_prefix_is_that_of_its_state(automaton, words):
    own = Distributions.of(automaton, words)
    offsets = np.concatenate([[0], np.cumsum(words.lengths + 1)])
    after = following(words, 2)
    logs = own.log_probabilities(after)
    sums = sequence_log_probabilities(logs, offsets) if len(words) else []
    for word, total in zip(words, sums, strict=True):
        right = probability(automaton, tuple(word.tolist()))
        assert np.exp(total) == pytest.approx(right, rel=1e-9, abs=1e-12)
    assert automaton.classify(words).tolist() == own.most_likely().tolist()


@given(pdfas(), st.integers(0, 99))
def test_words_are_drawn_as_often_as_they_are_likely(automaton, seed):
    count = 4000
    words, ended = sample(automaton, count, np.random.default_rng(seed), max_length=40)
    assert len(words) == count
    assert (words.lengths[~ended] == 40).all()
    drawn = [tuple(word.tolist()) for word in words]
    for word in ((), (0,), (1, 0)):
        share = probability(automaton, word)
        spread = 5 * np.sqrt(share * (1 - share) / count) + 1e-9
        assert drawn.count(word) / count == pytest.approx(share, abs=spread)


@given(pdfas())
def test_the_smallest_form_has_the_same_distributions(automaton):
    smallest, words = automaton.minimized(), short_words(2, 5)
    assert smallest.n_states <= automaton.n_states
    assert smallest.distinguishing_word(automaton) is None
    apart = Distributions.of(smallest, words).total_variation(Distributions.of(automaton, words))
    assert apart.max(initial=0) < 1e-9


def test_states_of_equal_outputs_and_other_probabilities_are_no_one_state():
    shares = [[0.6, 0.1, 0.3], [0.7, 0.1, 0.2]]
    automaton = make_pdfa("ab", [[1, 0], [0, 1]], shares)
    assert automaton.outputs.tolist() == [0, 0]
    assert automaton.minimized().n_states == 2
    assert automaton.distinguishing_word(replace(automaton, start=1)) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probabilities": None}, "takes probabilities"),
        ({"probabilities": [[0.5, 0.5]]}, "1 states need a probability of each of 3"),
        ({"probabilities": [[0.5, 0.5, 0.5]]}, "1 in sum"),
        ({"probabilities": [[1.5, -0.5, 0]]}, "at least 0"),
        ({"probabilities": [[np.nan, 1, 0]]}, "at least 0"),
        ({"probabilities": [[0, 1, 0]]}, "most likely"),
        ({"target": "step"}, "takes no probabilities"),
    ],
)
def test_probabilities_that_are_none_are_refused(changes, message):
    fields = vars(make_pdfa("ab", [[0, 0]], [[0.5, 0.25, 0.25]])) | changes
    if isinstance(fields["probabilities"], list):
        fields["probabilities"] = np.array(fields["probabilities"])
    with pytest.raises(AutomatonError, match=message):
        Automaton(**fields)


@pytest.mark.parametrize("form", ["json", "dot", "pautomac"])
@given(automaton=pdfas())
def test_a_file_holds_all_of_it(form, automaton, tmp_path_factory):
    path = tmp_path_factory.mktemp("pdfa") / f"automaton.{form}"
    automaton = replace(automaton, alphabet=("0", "1"), classes=("0", "1", END))
    if form == "pautomac" and not automaton.probabilities[:, 1].any():
        return  # its lists do not name a symbol that never comes
    path.write_bytes(export(automaton, form))
    read = read_automaton(path)
    assert (read.alphabet, read.classes) == (automaton.alphabet, automaton.classes)
    # PAutomaC's lists leave out where symbols lead that cannot come, and divide probabilities.
    words, _ = sample(automaton, 200, np.random.default_rng(0), max_length=30)
    apart = Distributions.of(read, words).total_variation(Distributions.of(automaton, words))
    assert apart.max() < 1e-9
    if form != "pautomac":
        assert read == automaton


def test_an_automaton_of_next_symbols_accepts_no_words():
    with pytest.raises(AutomatonError, match="accepts no words"):
        make_pdfa("ab", [[0, 0]], [[0.5, 0.25, 0.25]]).accepts("a")


def test_formats_without_room_for_probabilities_say_so():
    automaton = make_pdfa("ab", [[0, 0]], [[0.5, 0.25, 0.25]])
    for form in CLASSES_ALONE:
        with pytest.raises(AutomatonError, match=f"{form} has no room for distributions"):
            export(automaton, form)


@given(automaton=pdfas(), words=ragged_sequences())
def test_a_python_module_gives_the_distributions(automaton, words):
    names: dict = {}
    exec(compile(to_python(automaton), "automaton.py", "exec"), names)
    states = automaton.run(words)
    for word, state in zip(words, states, strict=True):
        assert names["distribution"](word.tolist()) == automaton.probabilities[state].tolist()


def test_a_c_file_gives_the_distributions(tmp_path):
    automaton = make_pdfa("ab", [[1, 0], [0, 1]], [[0.6, 0.1, 0.3], [0.7, 0.2, 0.1]])
    printed = run_c(
        tmp_path,
        automaton,
        "#include <stdio.h>\n"
        "int main(void) { int word[] = {0}; const double *p = distribution(word, 1);\n"
        'int bad[] = {7}; printf("%.17g %.17g %.17g %d", p[0], p[1], p[2], '
        "distribution(bad, 1) == NULL); return 0; }\n",
    )
    assert [float(text) for text in printed.split()] == [0.7, 0.2, 0.1, 1]


@given(automaton=pdfas(), words=ragged_sequences())
def test_an_onnx_model_gives_the_distributions(automaton, words):
    onnxruntime = pytest.importorskip("onnxruntime")
    if not len(words):
        return
    session = onnxruntime.InferenceSession(to_onnx(automaton))
    padded = words.padded(max(1, int(words.lengths.max()))).astype(np.int64)
    inputs = {"symbols": padded, "lengths": words.lengths.astype(np.int64)}
    (shares,) = session.run(["probabilities"], inputs)
    np.testing.assert_array_equal(shares, automaton.probabilities[automaton.run(words)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I: (state)\n(0) 1.0\n(1) 1.0\nS: (state,symbol)\n(0,0) 1.0",
        "I: (state)\n(0) 1.0\nF: (state)\n(0) 0.5",
        "I: (state)\n(0) 1.0\nS: (state,symbol)\n(0) 1.0",
        "I: (state)\n(0) 1.0\nS: (state,symbol)\n(0,0) 1.5",
        "I: (state)\n(0) 1.0\nS: (state,symbol)\n(0,0) one",
        "I: (state)\n(0) 1.0\nS: (state,symbol)\n(0,0) 0.5",
        "I: (state)\n(0) 1.0\nS: (state,symbol)\n(0,9999999) 1.0",
        "(0) 1.0",
        "I: (state)\n(0) 1.0\nS: (state,symbol)\n(0,0) 1.0\n"
        "T: (state,symbol,state)\n(0,0,0) 0.5\n(0,0,1) 0.5",
    ],
)
def test_lists_that_hold_no_deterministic_automaton_are_refused(text, tmp_path):
    path = tmp_path / "machine.pautomac"
    path.write_text(text)
    with pytest.raises(AutomatonError):
        read_automaton(path)


@pytest.mark.parametrize("change", [[["x"]], [[1, 0]], [[0.5, 0.5, 0.0], [1.0]], "x", None])
def test_json_with_other_probabilities_is_refused(change):
    fields = json.loads(make_pdfa("ab", [[0, 0]], [[0.5, 0.25, 0.25]]).to_json())
    fields["probabilities"] = change
    with pytest.raises(AutomatonError):
        Automaton.from_json(json.dumps(fields))


def test_a_uniform_pdfa_draws_words_of_its_language_alone():
    for language in ("000", "tomita-4", "tomita-7"):
        accepts = LANGUAGES[language].automaton
        words, ended = sample(uniform_pdfa(accepts, 0.2), 300, np.random.default_rng(0))
        assert ended.all()
        assert (accepts.classify(words) == 1).all()


def test_an_accepting_state_that_nothing_follows_ends():
    automaton = uniform_pdfa(compile_regex("ab", ("a", "b")), 0.3)
    words, ended = sample(automaton, 20, np.random.default_rng(0))
    assert ended.all()
    assert {tuple(word.tolist()) for word in words} == {(0, 1)}


@given(pdfas(), pdfas())
def test_distances_between_distributions(one, other):
    words = short_words(2, 4)
    first, second = Distributions.of(one, words), Distributions.of(other, words)
    apart, nats = first.total_variation(second), first.divergence(second)
    assert ((apart >= 0) & (apart <= 1 + 1e-12)).all()
    assert (nats >= -1e-12).all()
    # Pinsker's inequality
    assert (apart <= np.sqrt(np.maximum(nats, 0) / 2) + 1e-9).all()
    np.testing.assert_allclose(second.total_variation(first), apart)
    assert first.total_variation(first).max() == 0


def test_measures_by_hand():
    assert divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(
        0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    )
    assert perplexity(np.log(np.full(7, 0.25))) == pytest.approx(4)
    assert np.isnan(perplexity(np.empty(0)))


@given(pdfas(), ragged_sequences())
def test_a_completion_takes_the_most_likely_symbol_until_the_end(automaton, prefixes):
    drawn, ended = complete(automaton, prefixes, max_length=7)
    for row, (prefix, symbols) in enumerate(zip(prefixes, drawn, strict=True)):
        state = automaton.start
        for symbol in prefix:
            state = automaton.transitions[state, symbol]
        expected = []
        while len(expected) < 7 and automaton.outputs[state] < len(automaton.alphabet):
            expected.append(automaton.outputs[state])
            state = automaton.transitions[state, expected[-1]]
        assert symbols.tolist() == expected
        # the end itself is no symbol, so that it is not looked at after the last one
        assert ended[row] == (len(expected) < 7)


@given(pdfas(), st.integers(0, 100))
def test_sequences_drawn_from_a_state_are_those_of_an_automaton_that_starts_there(automaton, seed):
    state = automaton.n_states - 1
    drawn = sample(automaton, 5, np.random.default_rng(seed), start=state, max_length=5)
    moved = replace(automaton, start=state)
    expected = sample(moved, 5, np.random.default_rng(seed), max_length=5)
    assert drawn[0].keys() == expected[0].keys()
    assert (drawn[1] == expected[1]).all()


@given(pdfas(), ragged_sequences(), st.floats(0.01, 1000))
def test_refitted_distributions_count_what_followed_each_state(automaton, words, weight):
    fitted = refitted(automaton, words, weight=weight)
    end = len(automaton.alphabet)
    counts = weight * automaton.distributions
    for word in words:
        state = automaton.start
        for symbol in word:
            counts[state, symbol] += 1
            state = automaton.transitions[state, symbol]
        counts[state, end] += 1
    expected = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.distributions, expected)
    np.testing.assert_array_equal(fitted.transitions, automaton.transitions)
    np.testing.assert_array_equal(fitted.outputs, expected.argmax(axis=1))


@given(pdfas(), ragged_sequences())
def test_the_less_its_own_distributions_weigh_the_likelier_are_the_sequences(automaton, words):
    def likelihood(one: Automaton) -> float:
        logs = Distributions.of(one, words).log_probabilities(following(words, end))
        return float(logs.sum())

    end = len(automaton.alphabet)
    weights = (1e-6, 1.0, 100.0, 1e9)
    likelihoods = [likelihood(refitted(automaton, words, weight=weight)) for weight in weights]
    assert (np.diff(likelihoods) <= 1e-6).all()
    most = refitted(automaton, words, weight=1e9)
    np.testing.assert_allclose(most.distributions, automaton.distributions, atol=1e-6)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight):
    automaton = make_pdfa(["a"], np.array([[0]]), np.array([[0.5, 0.5]]))
    with pytest.raises(AutomatonError, match="expected a weight above 0"):
        refitted(automaton, Sequences.from_lists([[0]]), weight=weight)
