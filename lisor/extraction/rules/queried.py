"""Automata learned by queries: from what is predicted for words that the learner chooses.

Shapes: Q states, S symbols, D words on which network and automaton differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lisor.extraction.limits import Stopped
from lisor.extraction.rule import Rule
from lisor.extraction.rules.refined import compare, draw
from lisor.randomness import stream
from lisor.sequences import Sequences
from lisor.targets.positions import Positions

if TYPE_CHECKING:
    from lisor.automata.automaton import Automaton
    from lisor.extraction.extraction import Extraction, SearchLog
    from lisor.extraction.limits import SearchLimits
    from lisor.extraction.probes import Probes
    from lisor.extraction.rules.refined import Comparison
    from lisor.extraction.view import View
    from lisor.networks.network import Predictor

Word = tuple[int, ...]

NOTHING = -1
"""In place of the class of the empty word where a network has none."""


class Queried(Rule):
    """The automaton that a learner makes of predictions alone, minimal: see `learn`.

    Hidden states and clusters do not count. Two states are one if the network predicts the same
    after all suffixes that separate any states, whatever their numbers are."""

    searches = True
    compares_classes = True
    follows_states = False
    has_start = False
    grows = True
    from_clusters = False

    def extract(self, view: View) -> Extraction:
        """The automaton that was learned."""
        automaton, search = learn(view.network, view.words(), view.limits)
        return view.extraction(self.name, automaton, search=search)

    @classmethod
    def min_states(cls, k: int) -> int:
        """One state, the start, whatever the number of clusters is."""
        return 1


def learn(network: Predictor, probes: Probes, limits: SearchLimits) -> tuple[Automaton, SearchLog]:
    """The minimal automaton that agrees with a network on all words tried, and how the search went.

    States are the leaves of a tree of separating suffixes (Kearns & Vazirani, 1994, "An
    Introduction to Computational Learning Theory", chapter 8). A round compares automaton and
    network on the words of `probes`, and where they agree on all, on those that `Refined` draws. In
    a word on which they differ, halving finds a
    state that stands for two, and the suffix that separates them (Rivest & Schapire, 1993), by
    which its leaf is split, as in the observation packs of Howar (2012). The shortest words come
    first.

    The search ends as that of `Refined` does, and then, too, the automaton of the round that agreed
    most on the words of `probes` is returned; where a watch ends it while one is compared, that
    one."""
    from lisor.extraction.extraction import SearchLog

    rng, tree = stream(limits.seed, "queried"), _Tree(network, probes, limits)
    complete = False
    tests = last = spent_to_last = known = 0
    best, most = None, -1.0
    while True:
        automaton = tree.automaton()
        try:
            compared = tree.compare(automaton, probes.words)
            tests += len(compared.words)
            if best is None or compared.agreed >= most:
                best, most = automaton, compared.agreed
            if not len(compared.wrong):
                compared = tree.compare(automaton, draw(probes, automaton, rng))
                tests += len(compared.words)
        except Stopped:
            best = automaton
            break
        limits.report(f"queried: {automaton.n_states:,} states, {compared}")
        if not len(compared.wrong):
            complete = True
            break
        last, spent_to_last = tests - len(compared.words) + int(compared.wrong[-1]) + 1, tree.read
        stuck, known = len(tree.access) == known, len(tree.access)
        if tree.full or stuck or limits.is_over(tree.read):
            break
        try:
            for row in np.argsort(compared.prefixes.lengths, kind="stable"):
                tree.explain(tuple(compared.prefixes[row].tolist()), int(compared.predicted[row]))
        except Stopped:
            break
    search = SearchLog(
        steps=tree.read,
        complete=complete,
        limited=tree.full,
        tests=tests,
        last_difference=last,
        steps_to_last=spent_to_last,
    )
    return best.minimized(empty=None if network.reads_empty else False), search


@dataclass(eq=False)
class _Node:
    """A suffix, with a branch for each class that was predicted after it, or a leaf: a state.

    `output` is the class of all words that come here."""

    output: int
    state: int
    suffix: Word | None = None
    branches: dict[int, _Node] = field(default_factory=dict)


class _Tree:
    """States by their access strings, the leaves of a tree that says to which a word leads.

    `read` counts the symbols that the network read, and `full` says that a state was missing that
    there was no room for; what leads to it leads to another one."""

    def __init__(self, network: Predictor, probes: Probes, limits: SearchLimits) -> None:
        self._network, self._probes = network, probes
        self._limits = replace(limits, watch=None)  # there is a first automaton in any case
        self._symbols = range(len(network.alphabet))
        self._targets: list[list[int]] = []
        self._leaves: list[_Node] = []
        self.access: list[Word] = []
        self.read, self.full = 0, False
        self._root = _Node(output=NOTHING, state=NOTHING, suffix=())
        self._sift([()], self._root)
        self._grow()
        self._limits = limits

    def automaton(self) -> Automaton:
        """The automaton of the states so far; the start has the first class where the empty word
        has none."""
        from lisor.extraction.extraction import make_automaton

        outputs = np.maximum([leaf.output for leaf in self._leaves], 0)
        return make_automaton(self._network, np.array(self._targets), outputs)

    def compare(self, automaton: Automaton, words: Sequences) -> Comparison:
        """Automaton and network on some words."""
        self.read += len(words.symbols)
        return compare(self._network, automaton, words, given=len(words), limits=self._limits)

    def explain(self, word: Word, predicted: int) -> None:
        """Split states until a word has the class that is predicted, unless there is no room."""
        while not self.full:
            path = [0]
            for symbol in word:
                path.append(self._targets[path[-1]][symbol])
            low, high, output = 0, len(word), self._leaves[path[-1]].output
            if output == predicted:
                return
            while high - low > 1:
                middle = (low + high) // 2
                (after,) = self._ask([self.access[path[middle]] + word[middle:]])
                if after == predicted:
                    low = middle
                else:
                    high, output = middle, after
            if high == len(word):  # rounding decides this prediction: it is another one by itself
                return
            new = (*self.access[path[low]], word[low])
            self._split(path[high], word[high:], output, new)

    def _split(self, state: int, suffix: Word, output: int, new: Word) -> None:
        """Separate a state, after which a suffix has the class `output`, from another word."""
        node = self._leaves[state]
        self._leaves[state] = _Node(output=node.output, state=state)
        node.suffix, node.branches = suffix, {output: self._leaves[state]}
        self._sift([new], node)
        into = [
            (source, symbol)
            for source, row in enumerate(self._targets)
            for symbol, target in enumerate(row)
            if target == state
        ]
        targets = self._sift([(*self.access[source], symbol) for source, symbol in into], node)
        for (source, symbol), target in zip(into, targets, strict=True):
            self._targets[source][symbol] = target
        self._grow()

    def _grow(self) -> None:
        """Find where the new states lead, and the states that are new there."""
        while len(self._targets) < len(self.access):
            fresh = self.access[len(self._targets) :]
            words = [(*word, symbol) for word, symbol in product(fresh, self._symbols)]
            targets, width = self._sift(words, self._root), len(self._symbols)
            self._targets += [targets[row : row + width] for row in range(0, len(words), width)]

    def _sift(self, words: Sequence[Word], node: _Node) -> list[int]:
        """The states to which words lead that come to a node; all go down one level at a time."""
        nodes = [node] * len(words)
        while inner := [row for row, one in enumerate(nodes) if one.suffix is not None]:
            outputs = self._ask([words[row] + (nodes[row].suffix or ()) for row in inner])
            for row, output in zip(inner, outputs, strict=True):
                nodes[row] = self._branch(nodes[row], output, words[row])
        return [one.state for one in nodes]

    def _branch(self, node: _Node, output: int, word: Word) -> _Node:
        """The node after a class; if there is none, the word becomes the access string of a new
        state."""
        if output in node.branches:
            return node.branches[output]
        if len(self.access) == self._limits.most_states:
            self.full = True
            return next(iter(node.branches.values()))
        leaf = _Node(output=output if node is self._root else node.output, state=len(self.access))
        self.access.append(word)
        self._leaves.append(leaf)
        node.branches[output] = leaf
        return leaf

    def _ask(self, words: Sequence[Word]) -> list[int]:
        """The class of each word; NOTHING for the empty one if it has none."""
        sequences = self._probes.with_numbers(Sequences.from_lists(words))
        positions = Positions.of(sequences, self._network.target)
        self.read += len(sequences.symbols)
        classes = np.append(self._limits.predict(self._network, sequences), NOTHING)
        last = np.where(positions.counts > 0, positions.offsets[1:] - 1, -1)
        return [int(output) for output in classes[last]]
