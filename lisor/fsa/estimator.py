"""Clusters of hidden states to an automaton, as a scikit-learn estimator.

Shapes: N sequences, P steps in all of them, T steps of one, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from lisor.data.sequences import Sequences
from lisor.errors import DataError
from lisor.fsa import clustering, extraction
from lisor.fsa.automaton import CLASSES, Automaton
from lisor.fsa.clustering import Clustering, Decisions, cluster
from lisor.fsa.distillation import distill
from lisor.fsa.kmeans_x import Positions
from lisor.fsa.probes import Probes
from lisor.fsa.refinement import refine
from lisor.rnn.adapters import adapt
from lisor.rnn.hidden_states import Points
from lisor.rnn.network import Network


class AutomatonExtractor(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Groups hidden states into `k` clusters and reads an automaton off them.

    `method` is "kmeans", "kmeans-x" or, with a network, "decision-aware"; `rule` "majority" or, with a network, one of
    "dynamics", "dithered", "refined" and "distilled". `network` is any that `lisor.extract` takes; without one a state
    answers as most sequences that end there were answered. `alphabet` names the symbols by their numbers, and
    is needed where a part of the sequences may lack the last of them; `unseen` is
    "reject" or "stay": where a transition leads that was never seen. `weight` is that of positions in kmeans-x and of
    answers in decision-aware.

    `fit(states, symbols, lengths, outputs)` takes the steps of all sequences one after the other: the hidden state
    after each step [P, H], the symbol read [P], the number of steps of each sequence [N], and the class that the
    network answered each sequence with [N], or each step [P]. For scikit-learn's cross-validation, which splits by
    rows, `fit(X, y)` takes a row for each sequence instead: X is a list of N arrays [T, 1 + H], the symbol in the first
    column and the state in the others, y the N answers. The states of an LSTM that is given as `network` are h and c,
    side by side. `predict` takes X of the same form, or symbols alone: lists of them, or all in a row with their
    `lengths`. `score` is fidelity where y holds the network's answers, accuracy where it holds the truth.

    Fitted: `automaton_`, an `Automaton`; `clustering_`; `classes_`, the values of y in the order of the automaton's
    classes. Parameters are checked by `fit`, as scikit-learn asks for."""

    def __init__(
        self,
        method: str = "kmeans",
        k: int = 8,
        rule: str = "majority",
        *,
        network: Any = None,
        alphabet: Sequence[str] | None = None,
        unseen: extraction.Unseen = "reject",
        weight: float = 0.1,
        most_states: int = 64,
        random_state: int = 0,
    ) -> None:
        self.method = method
        self.k = k
        self.rule = rule
        self.network = network
        self.alphabet = alphabet
        self.unseen = unseen
        self.weight = weight
        self.most_states = most_states
        self.random_state = random_state

    def fit(self, states: Any, symbols: Any = None, lengths: Any = None, outputs: Any = None) -> AutomatonExtractor:
        """Itself, with the automaton of these hidden states.

        Raises:
            DataError: states, symbols, lengths and outputs do not fit together, or k is above the number of distinct
                states.
            AutomatonError: there is no such rule, or it needs a network."""
        points, words, answers = _arrange(states, symbols, lengths, outputs)
        least = 1 + int(words.symbols.max(initial=0))
        alphabet = tuple(map(str, range(max(2, least)))) if self.alphabet is None else tuple(self.alphabet)
        if least > len(alphabet):
            raise DataError(f"expected symbols below {len(alphabet)}, the size of the alphabet, found {least - 1}")
        if self.network is not None and self.alphabet is None:
            alphabet = getattr(self.network, "vocabulary", alphabet)
        network = None if self.network is None else adapt(self.network, alphabet)
        if network is None and self.rule != "majority":
            raise DataError(f"the rule {self.rule!r} follows the network itself: give network=…, or use majority")
        if network is not None:
            points = _split_parts(points, network)
        self.clustering_ = self._cluster(points, network)
        if network is None:
            self.classes_, numbers = np.unique(answers, return_inverse=True)
            self.automaton_ = self._count(points, words, numbers, alphabet)
        else:
            self.classes_ = np.arange(len(network.classes))
            self.automaton_ = self._follow(network, points, words)
        return self

    def predict(self, X: Any, lengths: Any = None) -> Shaped[np.ndarray, " N"]:
        """The class that the automaton answers each sequence with."""
        check_is_fitted(self)
        found: Shaped[np.ndarray, " N"] = self.classes_[self.automaton_.classify(_words(X, lengths))]
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, lengths: Any = None) -> float:
        """The share of sequences, each counted by its weight, that the automaton answers with y."""
        return float(np.average(self.predict(X, lengths) == np.asarray(y), weights=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn is told: X is no table but a list of sequences."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    def _cluster(self, points: Points, network: Network | None) -> Clustering:
        looks: dict[str, Any] = {}
        if self.method == "kmeans-x":
            looks["positions"] = Positions.of(points.sequence, points.step, self.weight)
        elif self.method == "decision-aware" and network is not None:
            looks["decisions"] = Decisions(probabilities=network.probabilities(points.state), weight=self.weight)
        distinct = clustering.count_distinct(points.state, max(self.k, 2)) if len(points.state) else 0
        if not 2 <= self.k <= distinct:
            raise DataError(f"expected k from 2 to the number of distinct states ({distinct} found), got k={self.k}")
        return cluster(points.state, [self.k], method=self.method, seed=self.random_state, **looks)[0]

    def _count(
        self, points: Points, words: Sequences, answers: Int[np.ndarray, " N"], alphabet: tuple[str, ...]
    ) -> Automaton:
        """The most frequent transitions; a state answers as most of its members are answered."""
        labels, count = self.clustering_.labels, len(self.classes_)
        ends = np.arange(len(points.step)) if len(answers) != len(words) else words.offsets[1:][words.lengths > 0] - 1
        members = answers if len(answers) != len(words) else answers[words.lengths > 0]
        votes = np.zeros((self.k, count), np.int64)
        np.add.at(votes, (labels[ends], members), 1)
        empty = answers[words.lengths == 0] if len(answers) == len(words) else members[:0]
        start = np.bincount(empty if len(empty) else members, minlength=count).argmax()
        # A cluster in which no sequence ends answers as the nearest one in which some do.
        known = np.flatnonzero(votes.sum(axis=1))
        centers = self.clustering_.centers
        near = known[np.square(centers[:, None] - centers[None, known]).sum(axis=2).argmin(axis=1)]
        counts = extraction.count_transitions(points, labels, k=self.k, symbols=len(alphabet))
        read = np.concatenate([[start], votes[near].argmax(axis=1)])
        transitions, outputs, _ = extraction.settle(*extraction.majority(counts), read, self.unseen)
        names = CLASSES if count == 2 and set(self.classes_) <= {0, 1} else tuple(map(str, self.classes_))
        return Automaton(alphabet=alphabet, classes=names, transitions=transitions, outputs=outputs)

    def _follow(self, network: Network, points: Points, words: Sequences) -> Automaton:
        if self.rule not in ("refined", "distilled"):
            return extraction.extract(network, points, self.clustering_, rule=self.rule, unseen=self.unseen).automaton
        longest = int(words.lengths.max(initial=0))
        probes = Probes(words=words, symbols=len(network.vocabulary), shortest=min(1, longest), longest=longest)
        if self.rule == "distilled":
            return distill(network, points, self.clustering_, probes, seed=self.random_state).extraction.automaton
        most, seed = self.most_states, self.random_state
        return refine(network, points, self.clustering_, probes, most_states=most, seed=seed).extraction.automaton


def _arrange(
    states: Any, symbols: Any, lengths: Any, outputs: Any
) -> tuple[Points, Sequences, Shaped[np.ndarray, " N"]]:
    """Both forms of the arguments of `fit` as points, the sequences, and the answers."""
    if lengths is None:
        rows = [np.asarray(row, np.float32) for row in states]
        if not rows or any(row.ndim != 2 or row.shape[1] != rows[0].shape[1] or row.shape[1] < 2 for row in rows):
            raise DataError(
                "expected X as a list of arrays [T, 1 + H], one for each sequence: its symbols in the first column, "
                "the hidden states after them in the others; or states, symbols, lengths and outputs"
            )
        words, whole, answers = _words(states, None), np.concatenate(rows)[:, 1:], np.asarray(symbols)
    else:
        words, whole, answers = _words(symbols, lengths), np.asarray(states, np.float32), np.asarray(outputs)
    if whole.ndim != 2 or len(whole) != len(words.symbols):
        raise DataError(
            f"expected a hidden state for each of {len(words.symbols)} symbols, got shape {list(whole.shape)}"
        )
    if answers.ndim != 1 or len(answers) not in (len(words), len(whole)):
        raise DataError(f"expected an answer for each of {len(words)} sequences, got {list(answers.shape)}")
    if not np.isfinite(whole).all():
        raise DataError("expected finite numbers as hidden states, found NaN or infinity")
    no_numbers = answers.dtype.kind == "f" and not np.isfinite(answers).all()
    if no_numbers or type_of_target(answers) not in ("binary", "multiclass"):
        raise DataError("expected the answers as classes, found numbers that are none; give the class, not its score")
    step = np.arange(len(whole)) - np.repeat(words.offsets[:-1], words.lengths) + 1
    points = Points(
        sequence=np.repeat(np.arange(len(words)), words.lengths).astype(np.int32),
        step=step.astype(np.int32),
        symbol=words.symbols,
        state=np.ascontiguousarray(whole),
    )
    return points, words, answers


def _split_parts(points: Points, network: Network) -> Points:
    """The same points with the parts of their states apart, h and for an LSTM c."""
    size, width = network.state_size, points.state.shape[1]
    if width != size * len(network.parts):
        names = " and ".join(f"{size} of its {name}" for name in network.parts)
        raise DataError(f"expected states of {names.replace('_', ' ')} of {network.name}, got {width} numbers each")
    if len(network.parts) == 1:
        return points
    hidden, cell = (np.ascontiguousarray(part) for part in np.split(points.state, 2, axis=1))
    return replace(points, state=hidden, cell_state=cell)


def _words(given: Any, lengths: Any) -> Sequences:
    """Sequences of symbols: all in a row with their lengths, or one by one, whatever columns come after the symbols."""
    if lengths is not None:
        return Sequences(symbols=np.asarray(given), offsets=np.concatenate([[0], np.cumsum(np.asarray(lengths))]))
    rows = [np.asarray(row) for row in given]
    return Sequences.from_lists([row[:, 0] if row.ndim == 2 else row for row in rows])
