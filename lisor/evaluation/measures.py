"""By which figures automata and networks are judged, for each kind of target."""

from __future__ import annotations

from dataclasses import dataclass

from lisor.registry import TARGETS


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Columns of results: how well `network` and `automaton` predict what is true, and how well the
    automaton agrees with its network, called `agreement_name`."""

    network: str
    automaton: str
    agreement: str
    agreement_name: str
    summary: str
    title: str
    caption: str

    @property
    def automaton_name(self) -> str:
        """What a person calls how well the automaton predicts."""
        return self.automaton.replace("r2", "R²")

    @property
    def columns(self) -> tuple[str, str, str]:
        """The three columns, as tables show them."""
        return (self.network, self.automaton, self.agreement)


CLASSES = Measures(
    network="rnn_accuracy",
    automaton="accuracy",
    agreement="fidelity",
    agreement_name="fidelity",
    summary="summary",
    title="selected automata on the test set",
    caption="Accuracy is agreement with the labels, fidelity agreement with the network. One "
    "answer: automata that answer every sequence alike.",
)

DISTRIBUTIONS = Measures(
    network="rnn_perplexity",
    automaton="perplexity",
    agreement="total_variation",
    agreement_name="distance",
    summary="summary-next",
    title="perplexity of selected automata on the test set",
    caption="Perplexity of network and automaton on the next symbol or the end; distance is the "
    "total variation distance between their distributions.",
)

TRANSLATIONS = Measures(
    network="rnn_exact_match",
    automaton="exact_match",
    agreement="total_variation",
    agreement_name="distance",
    summary="summary-translation",
    title="exact match of selected automata on the test set",
    caption="Exact match is the share of sources of which network and automaton, by greedy "
    "decoding, give the target without a mistake; distance is the total variation distance between "
    "their distributions.",
)

NUMBERS = Measures(
    network="rnn_r2",
    automaton="r2",
    agreement="r2_network",
    agreement_name="R² to network",
    summary="summary-numbers",
    title="R² of selected automata on the test set",
    caption="R², the share of the variance that is explained, of what network and automaton "
    "predict: of what is true, and of the network's numbers by the automaton's.",
)

KINDS = (CLASSES, DISTRIBUTIONS, TRANSLATIONS, NUMBERS)

COLUMNS = tuple(dict.fromkeys(column for kind in KINDS for column in kind.columns))
"""The columns of all kinds, of which those that do not apply are null."""


def measures_of(target: str) -> Measures:
    """The measures of a kind of target."""
    kind = TARGETS[target]
    if kind.is_numeric:
        return NUMBERS
    return DISTRIBUTIONS if kind.is_distribution else CLASSES
