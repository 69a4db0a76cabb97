"""Clusters of hidden states to an automaton, as a scikit-learn estimator.

Shapes: N sequences, P steps in all of them, T steps of one, H hidden units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, get_args

import numpy as np
from jaxtyping import Int, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from lisor.alphabet import Alphabet
from lisor.automata.automaton import CLASSES, Automaton
from lisor.clustering.clustering import Clustering, cluster
from lisor.clustering.kmeans import count_distinct
from lisor.errors import DataError, show
from lisor.extraction.extract import extract
from lisor.extraction.limits import SearchLimits
from lisor.extraction.probes import Probes
from lisor.extraction.transitions import Unseen, complete, count_transitions, most_frequent
from lisor.extraction.view import View
from lisor.networks.external.adapt import adapt
from lisor.networks.hidden_states import Points
from lisor.networks.network import Network
from lisor.registry import LISOR_K, METHODS, PAPER_RULE, RULES
from lisor.sequences import Sequences
from lisor.settings.base import not_among


class AutomatonExtractor(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Groups hidden states into `k` clusters and reads an automaton off them.

    `method` is any of `lisor.registry.METHODS`, some of which need the network; `rule` "majority"
    or, with a network, any of `lisor.registry.RULES` that is deterministic. `network` is any that
    `lisor.extract` takes; without one the output of a state is the class of most sequences that end
    there. `alphabet` names the symbols by their numbers, and is needed where a part of the
    sequences may lack the last of them; `unseen` is "reject" or "stay": where a transition leads
    that was never seen. `weight` is λ, the weight of what the method sees beside the hidden states.

    `fit(states, symbols, lengths, outputs)` takes the steps of all sequences one after the other:
    the hidden state after each step [P, H], the symbol read [P], the number of steps of each
    sequence [N], and the class that the network predicted for each sequence [N], or each step [P].
    For scikit-learn's cross-validation, which splits by rows, `fit(X, y)` takes a row for each
    sequence instead: X is a list of N arrays [T, 1 + H], the symbol in the first column and the
    state in the others, y the N predictions. The states of an LSTM that is given as `network` are h
    and c, side by side. `predict` takes X of the same form, or symbols alone: lists of them, or all
    in a row with their `lengths`. `score` is fidelity where y holds the network's predictions,
    accuracy where it holds labels.

    Fitted: `automaton_`, an `Automaton`; `clustering_`; `classes_`, the values of y in the order of
    the automaton's classes. Parameters are checked by `fit`, as scikit-learn asks for."""

    def __init__(
        self,
        method: str = LISOR_K,
        k: int = 8,
        rule: str = PAPER_RULE,
        *,
        network: Any = None,
        alphabet: Sequence[str] | None = None,
        unseen: Unseen = "reject",
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

    def fit(
        self, states: Any, symbols: Any = None, lengths: Any = None, outputs: Any = None
    ) -> AutomatonExtractor:
        """Itself, with the automaton of these hidden states.

        Raises:
            DataError: states, symbols, lengths and outputs do not fit together, a parameter is none
                of its values, k is above the number of distinct states, or the rule needs a
                network."""
        self._check_parameters()
        points, words, predictions = _arrange(states, symbols, lengths, outputs)
        least = 1 + int(words.symbols.max(initial=0))
        names = tuple(map(str, range(max(2, least)))) if self.alphabet is None else self.alphabet
        alphabet = Alphabet.of(names)
        if least > len(alphabet):
            raise DataError(
                f"expected symbols below {len(alphabet)}, the size of the alphabet, found "
                f"{least - 1}"
            )
        if self.network is not None and self.alphabet is None:
            alphabet = getattr(self.network, "alphabet", alphabet)
        network = None if self.network is None else adapt(self.network, alphabet)
        if network is None and self.rule != PAPER_RULE:
            raise DataError(
                f"the rule {self.rule!r} follows the network itself: give network=…, or use "
                f"{PAPER_RULE}"
            )
        if network is not None:
            points = _split_parts(points, network)
        self.clustering_ = self._cluster(points, network)
        if network is None:
            self.classes_, numbers = np.unique(predictions, return_inverse=True)
            self.automaton_ = self._count(points, words, numbers, alphabet)
        else:
            self.classes_ = np.arange(len(network.classes))
            self.automaton_ = self._extract(network, points, words)
        return self

    def predict(self, X: Any, lengths: Any = None) -> Shaped[np.ndarray, " N"]:
        """The class that the automaton gives each sequence."""
        check_is_fitted(self)
        numbers = self.automaton_.classify(_words(X, lengths))
        classes: Shaped[np.ndarray, " N"] = self.classes_[numbers]
        return classes

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, lengths: Any = None) -> float:
        """The share of sequences, each counted by its weight, to which the automaton gives y."""
        return float(np.average(self.predict(X, lengths) == np.asarray(y), weights=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        """The estimator's tags for scikit-learn: X is a list of sequences, not a table."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

    def _check_parameters(self) -> None:
        for name, known in (
            ("method", METHODS),
            ("rule", RULES),
            ("unseen", get_args(Unseen)),
        ):
            if getattr(self, name) not in known:
                raise DataError(f"{name} {not_among(getattr(self, name), known)}")
        if not isinstance(self.k, Integral) or self.k < 2:
            raise DataError(f"expected k as a whole number from 2, got {show(self.k)}")

    def _cluster(self, points: Points, network: Network | None) -> Clustering:
        distinct = count_distinct(points.state, self.k) if len(points.state) else 0
        if self.k > distinct:
            raise DataError(
                f"expected k up to the number of distinct states, {distinct}, got {self.k}"
            )
        clusterings = cluster(
            points,
            [self.k],
            method=self.method,
            weight=self.weight,
            network=network,
            seed=self.random_state,
        )
        if not clusterings:
            raise DataError(
                f"expected k up to the number of states that {self.method} distinguishes, got "
                f"{self.k}, which is more; lower k"
            )
        return clusterings[0]

    def _count(
        self,
        points: Points,
        words: Sequences,
        predictions: Int[np.ndarray, " N"],
        alphabet: Alphabet,
    ) -> Automaton:
        """The most frequent transitions; the output of a state is the class of most of its
        members."""
        labels, count = self.clustering_.labels, len(self.classes_)
        ends, members, empty = np.arange(len(points.step)), predictions, predictions[:0]
        if len(predictions) == len(words):  # one for each sequence, not for each step
            read = words.lengths > 0
            ends, members, empty = (
                words.offsets[1:][read] - 1,
                predictions[read],
                predictions[~read],
            )
        votes = np.zeros((self.k, count), np.int64)
        np.add.at(votes, (labels[ends], members), 1)
        start = np.bincount(empty if len(empty) else members, minlength=count).argmax()
        # A cluster in which no sequence ends has the output of the nearest one in which some do.
        known = np.flatnonzero(votes.sum(axis=1))
        centers = self.clustering_.centers
        near = known[np.square(centers[:, None] - centers[None, known]).sum(axis=2).argmin(axis=1)]
        counts = count_transitions(points, labels, k=self.k, symbols=len(alphabet))
        outputs = np.concatenate([[start], votes[near].argmax(axis=1)])
        transitions, outputs, _ = complete(*most_frequent(counts), outputs, self.unseen)
        names = (
            CLASSES
            if count == 2 and set(self.classes_) <= {0, 1}
            else tuple(map(str, self.classes_))
        )
        return Automaton(alphabet=alphabet, classes=names, transitions=transitions, outputs=outputs)

    def _extract(self, network: Network, points: Points, words: Sequences) -> Automaton:
        longest = int(words.lengths.max(initial=0))
        symbols = len(network.alphabet)
        view = View(
            network=network,
            points=points,
            clustering=self.clustering_,
            unseen=self.unseen,
            probes=Probes(words=words, symbols=symbols, shortest=min(1, longest), longest=longest),
            limits=SearchLimits(most_states=self.most_states, seed=self.random_state),
        )
        return extract(view, [self.rule])[0].deterministic


def _arrange(
    states: Any, symbols: Any, lengths: Any, outputs: Any
) -> tuple[Points, Sequences, Shaped[np.ndarray, " N"]]:
    """Both forms of the arguments of `fit` as points, the sequences, and the predictions."""
    if lengths is None:
        try:
            rows = [np.asarray(row, np.float32) for row in states]
        except (TypeError, ValueError):
            rows = []
        if not rows or any(
            row.ndim != 2 or row.shape[1] != rows[0].shape[1] or row.shape[1] < 2 for row in rows
        ):
            raise DataError(
                "expected X as a list of arrays [T, 1 + H], one for each sequence: its symbols in "
                "the first column, the hidden states after them in the others; or states, symbols, "
                "lengths and outputs"
            )
        words, whole = _words(states, None), np.concatenate(rows)[:, 1:]
    else:
        words, whole = _words(symbols, lengths), np.asarray(states, np.float32)
    predictions = np.asarray(symbols if lengths is None else outputs)
    if whole.ndim != 2 or len(whole) != len(words.symbols):
        raise DataError(
            f"expected a hidden state for each of {len(words.symbols)} symbols, got shape "
            f"{list(whole.shape)}"
        )
    if predictions.ndim != 1 or len(predictions) not in (len(words), len(whole)):
        raise DataError(
            f"expected a class for each of {len(words)} sequences, got {list(predictions.shape)}"
        )
    if not np.isfinite(whole).all():
        raise DataError("expected finite numbers as hidden states, found NaN or infinity")
    no_numbers = predictions.dtype.kind == "f" and not np.isfinite(predictions).all()
    if no_numbers or type_of_target(predictions) not in ("binary", "multiclass"):
        raise DataError(
            "expected outputs as classes, got numbers that are none; give the class, not its score"
        )
    step = np.arange(len(whole)) - np.repeat(words.offsets[:-1], words.lengths) + 1
    points = Points(
        sequence=np.repeat(np.arange(len(words)), words.lengths).astype(np.int32),
        step=step.astype(np.int32),
        symbol=words.symbols,
        state=np.ascontiguousarray(whole),
    )
    return points, words, predictions


def _split_parts(points: Points, network: Network) -> Points:
    """The same points with the parts of their states apart, h and for an LSTM c."""
    sizes, width = network.sizes, points.state.shape[1]
    if width != sum(sizes):
        parts = zip(sizes, network.parts, strict=True)
        names = " and ".join(f"{size} of its {name}" for size, name in parts)
        raise DataError(
            f"expected states of {names.replace('_', ' ')} of {network.name}, "
            f"got {width} numbers each"
        )
    if len(network.parts) == 1:
        return points
    hidden, cell = map(np.ascontiguousarray, np.split(points.state, sizes[:1], axis=1))
    return replace(points, state=hidden, cell_state=cell)


def _words(given: Any, lengths: Any) -> Sequences:
    """Sequences of symbols: all in a row with their lengths, or one by one, whatever columns come
    after the symbols."""
    if lengths is not None:
        offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths))])
        return Sequences(symbols=_whole(np.asarray(given)), offsets=offsets)
    rows = [np.asarray(row) for row in given]
    return Sequences.from_lists([_whole(row[:, 0] if row.ndim == 2 else row) for row in rows])


def _whole(symbols: Shaped[np.ndarray, " T"]) -> Int[np.ndarray, " T"]:
    """Symbols, which may come as floats beside the hidden states.

    Raises:
        DataError: one is no whole number."""
    is_number = symbols.dtype.kind in "biuf" or not symbols.size
    if not is_number or not (np.floor(symbols.astype(float)) == symbols).all():
        raise DataError(
            "expected the number of a symbol, from 0, for each step (the first column of X), found "
            f"{show(symbols[:3].tolist())}"
        )
    return symbols.astype(np.int32)
