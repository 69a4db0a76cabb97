"""The command `lisor extract`, with networks that know nothing of lisor."""

import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from lisor.automata.automaton import Automaton
from lisor.automata.languages import LANGUAGES
from lisor_flows import cli
from tests.networks.external import catalogue
from tests.plain import Acceptor, train

pytestmark = pytest.mark.filterwarnings("default::lisor.errors.DataWarning")

MINE = """
from tests.networks.external.catalogue import AttentionPooling, TaggerTimeFirst
from tests.plain import Acceptor
import torch
from torch import nn


def build():
    return Acceptor()


def loaded():
    network = Acceptor()
    network.load_state_dict(torch.load("own.pt", weights_only=True))
    return network.eval()


def seeded():
    torch.manual_seed(0)
    return Acceptor()


def both():
    return Acceptor(bidirectional=True)


def deeper():
    return Acceptor(layers=3)


def wider():
    network = Acceptor()
    network.linear = nn.Linear(8, 3)
    return network


class NextSymbol(nn.Module):
    # after a start, 0 and 1 by turns, and the end as likely as the other one
    def __init__(self):
        super().__init__()
        self.layer = nn.RNN(3, 3, batch_first=True, bias=False)
        self.linear = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.layer.weight_ih_l0.copy_(5 * torch.eye(3))
            self.layer.weight_hh_l0.zero_()
            self.linear.weight.copy_(5 * torch.tensor([[-1.0, 1, 1], [1, -1, 1], [1, 1, 0.9]]))

    def forward(self, symbols):
        return self.linear(self.layer(nn.functional.one_hot(symbols, 3).float())[0])


class LooksBack(Acceptor):
    def forward(self, symbols):
        states = self.layer(self.embedding(symbols))[0]
        weights = (states @ states[:, -1:].transpose(1, 2)).softmax(dim=1)
        return self.linear((weights * states).sum(dim=1))


class Random(Acceptor):
    def forward(self, symbols):
        return nn.functional.dropout(super().forward(symbols), 0.5)


class Growing(Acceptor):
    def forward(self, symbols):
        return self.linear(self.layer(self.embedding(symbols))[0]).cumsum(1).squeeze(-1)[:, 1:]


class Various(Acceptor):
    def forward(self, symbols):
        return super().forward(symbols)[:, None].expand(-1, 1 + bool((symbols.sum(1) > 4).all()))


class Infinite(Acceptor):
    def forward(self, symbols):
        return super().forward(symbols) / (symbols.sum(1) != 3)


def broken():
    raise ValueError("no such file: sizes.json\\nlook again")


class Counter:
    def initial_state(self):
        return 0.0, [0.0]

    def step(self, state, symbol):
        zeros = 0.0 if symbol else state[0] + 1
        return zeros, [max(state[1][0], float(zeros > 2.5))]

    def is_accepting(self, state):
        return state[1][0] > 0.5


class Ragged(Counter):
    def step(self, state, symbol):
        return state[0], [*state[1], float(symbol)]

    def is_accepting(self, state):
        return len(state[1]) > 3


class Named(Counter):
    table = {"0": ["1", "0"], "1": ["2", "0"], "2": ["found", "0"], "found": ["found", "found"]}

    def initial_state(self):
        return "0"

    def step(self, state, symbol):
        return self.table[state][symbol]

    def is_accepting(self, state):
        return state == "found"


def leave():
    raise SystemExit


class Leaving(Counter):
    def step(self, state, symbol):
        raise SystemExit(0)


class Failing(Counter):
    def step(self, state, symbol):
        raise ZeroDivisionError("never" + chr(10) + "mind")


class Undefined(Counter):
    def step(self, state, symbol):
        return float("nan"), [0.0]


def word_alone():
    return lambda word: "000" in "".join(word)
"""


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module, a trained network's weights, and words."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_networks.py").write_text(MINE)
    torch.manual_seed(0)
    network = train(Acceptor())
    save_file(network.state_dict(), folder / "acceptor.safetensors")
    torch.save(network.state_dict(), folder / "acceptor.pt")
    torch.save(Acceptor(bidirectional=True).state_dict(), folder / "both.pt")
    undefined = {name: weight * torch.nan for name, weight in network.state_dict().items()}
    torch.save(undefined, folder / "nan.pt")
    torch.save(network, folder / "pickled.pt")
    torch.save(Evil(str(folder / "run")), folder / "evil.pt")
    (folder / "evil.safetensors").write_bytes((folder / "evil.pt").read_bytes())
    torch.save([1, 2], folder / "list.pt")
    rng = random.Random(0)
    words = ["".join(rng.choices("01", k=rng.randint(1, 15))) for _ in range(600)]
    pd.DataFrame({"symbols": words, "label": [int("000" in word) for word in words]}).to_csv(
        folder / "words.csv"
    )
    pd.DataFrame({"symbols": [list(word) for word in words]}).to_parquet(folder / "bare.parquet")
    marked = {"symbols": words, "label": ["+" if "000" in word else "-" for word in words]}
    pd.DataFrame(marked).to_csv(folder / "marked.csv")
    (folder / "leaves_at_once.py").write_text("import sys\nsys.exit()\n")
    (folder / "fails_at_once").mkdir()
    (folder / "fails_at_once" / "__init__.py").write_text("raise RuntimeError('not today')\n")
    (folder / "fails_at_once" / "networks.py").write_text("")
    (folder / "single.csv").write_text("symbols\naaa\naa\naaaa\n")
    return folder


@pytest.fixture
def extract(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command, run in this process in that folder: exit status, standard output, standard
    error."""
    monkeypatch.chdir(mine)
    monkeypatch.setattr(sys, "path", [str(mine), *sys.path])
    before = dict(os.environ)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lisor", "extract", *arguments])
        try:
            with pytest.raises(SystemExit) as stop:
                cli.main()
        finally:
            os.environ.clear()
            os.environ.update(before)
        return int(stop.value.code or 0), *capfd.readouterr()

    return run


def selected(home: Path, run: str, network: str) -> Automaton:
    return Automaton.from_json(
        (home / f"reports/{run}/latest/automata/selected/{run}-{network}-0.json").read_text()
    )


@pytest.mark.parametrize("weights", ["acceptor.safetensors", "acceptor.pt"])
def test_a_plain_network_becomes_an_exact_automaton(home: Path, extract, weights) -> None:
    status, out, _ = extract(
        "--network", "my_networks:build", "--weights", weights, "--data", "words.csv"
    )
    assert status == 0
    automaton = selected(home, "words", "acceptor")
    assert LANGUAGES["000"].equals(automaton)
    assert automaton.n_states == 4
    table = pd.read_parquet(home / "reports/words/latest/results.parquet")
    assert set(table["cell"]) == {"acceptor"}
    assert set(table["rule"]) == {"majority", "dynamics", "refined", "queried"}
    assert "0 of them training" in out
    status, out, _ = extract(
        "--network", "my_networks:build", "--weights", weights, "--data", "words.csv"
    )
    assert "answered from the cache" in out


def test_a_build_that_loads_its_own_weights_needs_no_file_of_them(
    home: Path, extract, mine: Path
) -> None:
    arguments = ("--network", "my_networks:loaded", "--data", "words.csv")
    trained = torch.load(mine / "acceptor.pt", weights_only=True)
    torch.save(trained, mine / "own.pt")
    status, _, error = extract(*arguments)
    assert status == 0, error
    assert LANGUAGES["000"].equals(selected(home, "words", "my_networks.loaded"))
    assert "answered from the cache" in extract(*arguments)[1]
    trained["linear.weight"] *= -1
    trained["linear.bias"] *= -1
    torch.save(trained, mine / "own.pt")
    status, out, error = extract(*arguments, "--classes", "0,1")
    assert status == 0, error
    assert "answered from the cache" not in out
    assert not selected(home, "words", "my_networks.loaded").accepts("1000")


def test_a_network_that_was_not_trained_is_noticed(home: Path, extract) -> None:
    _, _, error = extract("--network", "my_networks:seeded", "--data", "words.csv")
    assert "alone on 0." in error
    assert "was it trained, and are its weights loaded (--weights)?" in error
    status, _, error = extract("--network", "my_networks:build", "--data", "words.csv")
    assert status == 2
    assert "my_networks:build makes other weights each time" in error


@pytest.fixture(scope="module")
def more(mine: Path) -> None:
    """Checkpoints of a tagger and of a network with attention, and words with a label after each
    symbol."""
    for name, entry in (("tagger", "tagger, time first"), ("attention", "attention pooling")):
        state = catalogue.train(catalogue.MODULES[entry]).state_dict()
        content = {"epoch": 3, "model_state_dict": state}
        torch.save(content, mine / f"{name}.pt")
    words = torch.randint(2, (600, 12), generator=torch.Generator().manual_seed(0))
    labels = [
        ["yes" if one else "no" for one in row] for row in catalogue.contains_000(words).tolist()
    ]
    pd.DataFrame({"symbols": words.tolist(), "labels": labels}).to_parquet(mine / "tags.parquet")


def test_a_tagger_and_its_labels_after_each_symbol(home: Path, extract, more) -> None:
    tagger = ("--network", "my_networks:TaggerTimeFirst", "--weights", "tagger.pt")
    status, _, error = extract(*tagger, "--data", "tags.parquet")
    assert status == 0, error
    automaton = selected(home, "tags", "tagger")
    assert (automaton.target, automaton.n_states) == ("step", 4)
    meant = replace(LANGUAGES["000"].automaton, target="step", classes=("no", "yes"))
    assert automaton.distinguishing_word(meant) is None
    table = pd.read_parquet(home / "reports/tags/latest/results.parquet")
    assert (table["rnn_accuracy"] == 1).all()
    report = (home / "reports/tags/latest/report.html").read_text(encoding="utf-8")
    assert "most frequent in validation after the same symbol" in report
    status, _, error = extract(*tagger, "--data", "words.csv")
    assert status == 2
    assert (
        "expected a column 'labels', since TaggerTimeFirst answers once a step, got 'label'"
        in error
    )


def test_a_network_with_attention_becomes_an_exact_automaton(home: Path, extract, more) -> None:
    status, _, error = extract(
        "--network", "my_networks:AttentionPooling", "--weights", "attention.pt",
        "--data", "words.csv",
    )  # fmt: skip
    assert status == 0, error
    assert LANGUAGES["000"].equals(selected(home, "words", "attention"))


def test_a_hand_written_cell_does_without_weights_and_labels(home: Path, extract) -> None:
    status, _, _ = extract(
        "--network", "my_networks:Counter", "--data", "bare.parquet", "--classes", "no,yes"
    )
    assert status == 0
    automaton = selected(home, "bare", "my_networks.Counter")
    assert automaton.classes == ("no", "yes")
    assert automaton.n_states == 4
    assert automaton.accepts("1000")
    record = json.loads((home / "reports/bare/latest/run.json").read_text())
    assert record["settings"]["models"]["build"] == "my_networks:Counter"


def test_a_network_that_scores_the_next_symbol_becomes_a_probabilistic_automaton(
    home: Path, mine: Path, extract
) -> None:
    words = ["01" * (n // 2) + "0" * (n % 2) for n in range(1, 6)] * 20
    pd.DataFrame({"symbols": words, "label": 1}).to_csv(mine / "turns.csv")
    status, _, error = extract(
        "--network", "my_networks:NextSymbol", "--data", "turns.csv", "--alphabet", "01.",
        "--target", "next", "--begin", ".", "--end", ".", "--set", "clustering.k=[2,4]"
    )  # fmt: skip
    assert status == 0, error
    automaton = selected(home, "turns", "my_networks.NextSymbol")
    assert automaton.target == "next"
    assert automaton.classes == ("0", "1", ".", "<end>")
    assert "the column 'label' is not read: dataset.target is next" in error
    after = automaton.run(automaton.alphabet.read(["0", "01"]))
    np.testing.assert_allclose(
        automaton.distributions[after], [[0, 0.5, 0, 0.5], [0.5, 0, 0, 0.5]], atol=0.1
    )
    for arguments, says in (
        (["--begin", "."], "dataset.begin and dataset.end are for networks that say what comes"),
        (["--target", "next", "--end", "x"], "expected 'x', which begins or ends sequences"),
        (["--target", "step"], "dataset.target is next, or what the outputs"),
    ):
        status, _, error = extract(
            "--network", "my_networks:NextSymbol", "--data", "turns.csv", "--alphabet", "01.",
            *arguments
        )  # fmt: skip
        assert status == 2
        assert says in error


def test_classes_without_an_order_are_named_as_the_labels_say_and_it_is_told(
    home: Path, extract
) -> None:
    status, _, error = extract("--network", "my_networks:Named", "--data", "marked.csv")
    assert status == 0
    automaton = selected(home, "marked", "my_networks.Named")
    assert automaton.classes == ("-", "+")
    assert automaton.accepts("1000")
    assert (
        "the network is right on 0.000 of the labelled sequences if its classes are +, -, and on "
        "1.000" in error
    )
    table = pd.read_parquet(home / "reports/marked/latest/results.parquet")
    assert (table["rnn_accuracy"] == 1).all()


def test_a_function_is_learned_by_queries_and_no_run_is_made(
    home: Path, extract, tmp_path: Path
) -> None:
    arguments = ("--network", "my_networks:word_alone", "--data", "bare.parquet")
    status, out, error = extract(*arguments)
    assert status == 0, error
    assert LANGUAGES["000"].equals(Automaton.from_json(out))
    assert "lisor: queried: " in error
    status, out, _ = extract(*arguments, "--classes", "no,yes", "--out", str(tmp_path / "learned"))
    assert status == 0
    written = Automaton.from_json((tmp_path / "learned" / "automaton.json").read_text())
    assert (written.n_states, written.classes) == (4, ("no", "yes"))
    assert (tmp_path / "learned" / "automaton.svg").read_text().startswith("<")
    status, _, error = extract(*arguments, "--out", "words.csv")
    assert status == 2
    assert "lisor: expected a folder words.csv to write to: " in error
    status, _, error = extract(*arguments, "--set", "clustering.k=[2,8]")
    assert status == 2
    assert "my_networks:word_alone makes a function, which has no hidden states" in error
    assert not (home / "reports").exists()


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("leaves_at_once:build", "the import of leaves_at_once raised SystemExit"),
        (
            "fails_at_once.networks:build",
            "the import of fails_at_once raised RuntimeError: not today",
        ),
        ("my_networks:leave", "my_networks:leave called without arguments raised SystemExit"),
        (
            "my_networks:Leaving",
            "Leaving.step(state, symbol) with the symbol 1 raised SystemExit: 0",
        ),
        (
            "my_networks:Failing",
            "Failing.step(state, symbol) with the symbol 1 raised ZeroDivisionError: never; it",
        ),
        ("my_networks:Ragged", "expected states of one size from Ragged"),
        ("my_networks:Undefined", "expected finite numbers in the states of Undefined, got NaN"),
    ],
)
def test_a_users_module_that_fails_or_leaves_is_one_line_and_status_2(
    home: Path, extract, network, reason
) -> None:
    status, _, error = extract("--network", network, "--data", "bare.parquet")
    assert status == 2
    (line,) = [line for line in error.splitlines() if line.startswith("lisor: ")]
    assert reason in line
    assert len(line) <= 300
    assert "Traceback" not in error
    assert not (home / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["my_networks:both", "both.pt", "words.csv"], "bidirectional"),
        (
            ["my_networks:deeper", "acceptor.pt", "words.csv"],
            "do not fit Acceptor; missing: layer.weight_ih_l2",
        ),
        (
            ["my_networks:wider", "acceptor.pt", "words.csv"],
            "do not fit Acceptor; of another size: linear.weight",
        ),
        (
            ["my_networks:Random", "acceptor.pt", "words.csv"],
            "answers the same words differently each time: dropout",
        ),
        (
            ["my_networks:Growing", "acceptor.pt", "words.csv"],
            "got numbers of shape [5, 2] for 5 words of 3 symbols, [5, 3] of 4",
        ),
        (
            ["my_networks:Various", "acceptor.pt", "words.csv"],
            "what it returns must not change its shape with the word",
        ),
        (["my_networks:build", "nan.pt", "words.csv"], "expected finite numbers as outputs"),
        (["my_networks:Infinite", "acceptor.pt", "words.csv"], "expected finite numbers"),
        (
            ["my_networks:LooksBack", "acceptor.pt", "words.csv"],
            "come from more than the last state",
        ),
        (
            ["my_networks:broken", "acceptor.pt", "words.csv"],
            "without arguments raised ValueError: no such file",
        ),
        (
            ["my_networks:Counter", "acceptor.pt", "words.csv"],
            "expected a torch module from my_networks:Counter",
        ),
        (["my_networks:build", "pickled.pt", "words.csv"], "nothing else is unpickled"),
        (["my_networks:build", "evil.pt", "words.csv"], "nothing else is unpickled"),
        (
            ["my_networks:build", "evil.safetensors", "words.csv"],
            "evil.safetensors cannot be read as weights",
        ),
        (
            ["my_networks:build", "list.pt", "words.csv"],
            "expected a state dict of tensors in list.pt",
        ),
        (["my_networks:build", "absent.pt", "words.csv"], "absent.pt"),
        (
            ["my_networks:build", "acceptor.pt", "acceptor.pt"],
            "expected a .csv, .tsv or .parquet file",
        ),
        (["my_networks:build", "acceptor.pt", "single.csv"], "an alphabet of at least two symbols"),
        (
            ["my_networks:nothing", "acceptor.pt", "words.csv"],
            "my_networks:nothing cannot be called",
        ),
        (["no_such_module:build", "acceptor.pt", "words.csv"], "expected package.module:build"),
        (["my_networks:build", "acceptor.pt", "words.csv", "--alphabet", "012"], "symbols 0 … 2"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_2(
    home: Path, mine: Path, extract, arguments, reason
) -> None:
    network, weights, data, *more = arguments
    status, _, error = extract("--network", network, "--weights", weights, "--data", data, *more)
    assert status == 2
    (line,) = [line for line in error.splitlines() if line.startswith("lisor: ")]
    assert reason in line
    assert "Traceback" not in error
    assert not (home / "reports").exists()
    assert not (mine / "run").exists()  # what a pickle would have made
