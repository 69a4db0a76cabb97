"""The command line. Exit status: 0 if the run is whole, 2 for a wrong setting or bad input, 128 and
its number for a signal, 1 for anything else."""

from __future__ import annotations

import atexit
import gc
import os
import socket
import sys
import time
import warnings
from errno import ENAMETOOLONG
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lisor.errors import (
    ConfigError,
    DataError,
    LisorError,
    one_line,
    show,
)
from lisor_flows import config as config_commands
from lisor_flows import queried, running, server, stopping
from lisor_flows import store as store_commands
from lisor_flows.configs import read_config
from lisor_flows.summary import MLFLOW_PORT
from lisor_flows.terminal import (
    Commands,
    OutputClosedError,
    print_warnings,
    standard_streams,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import pyarrow as pa

    from lisor.alphabet import Alphabet
    from lisor.sequences import Sequences

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # else text in brackets is read as markup and left out
)

app.add_typer(config_commands.app, name="config")
app.add_typer(store_commands.app, name="store")

AUTOMATON = (
    "JSON, as runs leave it in automata/, or .dot (Graphviz, AALpy), .jff (JFLAP) or .pautomac."
)

FORMATS = "json, dot, aalpy, jff, regex, python, c, onnx or pautomac"

OUT = "Folder of the report, new, empty or of a former one [LISOR_HOME/reports/<name>/<key>]."

EXTRACTION = {
    "clustering": {"k": [2, 16]},
    "extraction": {"rules": ["majority", "dynamics", "refined", "queried"]},
}
"""The settings for an external network, unless a config says otherwise."""

NEXT_EXTRACTION = {
    "clustering": {"methods": ["decision-aware"], "k": [2, 32]},
    "extraction": {"rules": ["majority", "dynamics", "merged"]},
}
"""The same for one that says what comes next."""

GC_THRESHOLDS = (20_000, 10, 50)
"""Thresholds of Python's garbage collection: libraries make a million objects that live as long as
the process, and at the defaults a run searches them twenty times, which takes seconds."""

MAX_DRAWN = 1_000_000
"""Sequences that are drawn from an automaton, and symbols of one."""

CLOSED = 141
"""The exit status if the reader of standard output has closed it: 128 + SIGPIPE."""


@app.callback()
def lisor() -> None:
    """Train recurrent networks, extract finite state automata from them, and measure how faithful
    they are."""
    _set_environment()


@app.command()
def run(
    config: config_commands.Config,
    changes: config_commands.Changes = None,
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be computed, and why.")
    ] = False,
) -> None:
    """Run an experiment: what is already computed is taken from the store."""
    running.run(read_config(config, changes or []), out, only_plan=only_plan)


@app.command()
def extract(
    network: Annotated[
        str, typer.Option(help="package.module:build, a callable that makes your network.")
    ],
    data: Annotated[
        Path, typer.Option(help="CSV, TSV or Parquet with the column symbols (and label, split).")
    ],
    weights: Annotated[
        Path | None, typer.Option(help="Its weights: .safetensors, or a state dict [as built].")
    ] = None,
    alphabet: Annotated[
        str | None,
        typer.Option(
            help="The symbols in the network's order: characters, or a file of lines [sorted]."
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names of its classes in order, with commas.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="next, where it scores what comes next [a class, by its outputs]."),
    ] = None,
    begin: Annotated[
        str | None, typer.Option(help="The symbol that it reads before each sequence.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(help="The symbol by which it says that a sequence ends [the last score]."),
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="Settings of clustering, extraction and so on.")
    ] = None,
    changes: config_commands.Changes = None,
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
) -> None:
    """Extract automata from a network of your own, with all outputs of a run: table, report,
    MLflow. A function is learned by queries, without a run: its automaton goes to the terminal as
    JSON, or with --out to automaton.json and automaton.svg."""
    from lisor.networks.external import builds
    from lisor.networks.external.queried import is_queried
    from lisor.settings.reading import override
    from lisor.settings.symbols import SymbolsSettings

    settings = (
        {
            **(NEXT_EXTRACTION if target == "next" else EXTRACTION),
            "name": SymbolsSettings(symbols=str(data)).name,
        }
        if config is None
        else read_config(config)
    )
    order = None if alphabet is None else _read_alphabet(alphabet)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    settings["datasets"] = [
        {
            "symbols": str(data),
            "order": order,
            "classes": names,
            "target": target,
            "begin": begin,
            "end": end,
        }
    ]
    settings["models"] = {"build": network, "weights": None if weights is None else str(weights)}
    # the working folder, and last: none of its modules hides another
    sys.path.append(str(Path.cwd()))
    function = builds.load(network, None) if weights is None else None
    if is_queried(function):
        if config is not None or changes or target is not None:
            raise ConfigError(
                f"{one_line(network, 80)} makes a function, which has no hidden states to cluster: "
                "it is learned by queries; leave out --config, --set and --target"
            )
        print_warnings()
        queried.learn(function, data, order, names, out)
        return
    running.run(override(settings, changes or []), out)


def _read_alphabet(alphabet: str) -> list[str]:
    """The symbols of a file, one on each line, or else the characters themselves."""
    from lisor.files import read_text, reason, shorten

    path = Path(alphabet)
    try:
        if not path.exists() or path.is_dir():
            return list(alphabet)
        return read_text(path).splitlines()
    except (OSError, ValueError) as error:
        why = f"{reason(error)}; give a file with a symbol a line"
        raise DataError(f"the alphabet in {shorten(path)} cannot be read: {why}") from None


@app.command()
def predict(
    data: Annotated[
        Path,
        typer.Option(
            help="CSV, TSV or Parquet with a column text, symbols or series, or a .txt of lines."
        ),
    ],
    automaton: Annotated[Path | None, typer.Option(help=AUTOMATON)] = None,
    detector: Annotated[
        Path | None,
        typer.Option(help="In place of an automaton, a .detector.json of automata/selected/."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .parquet file [CSV to the terminal].")
    ] = None,
) -> None:
    """Run an automaton: class, final state and path of each sequence of a file without labels, and
    its log-probability and perplexity where the next symbol is predicted. Or a detector of
    anomalies: whether there is an alarm, at which step, and what was expected there."""
    if (automaton is None) == (detector is None):
        raise ConfigError("expected either --automaton or --detector, and only one of them")
    if detector is not None:
        from lisor.anomalies.alarms import SCHEMA, as_table
        from lisor.anomalies.detector import read_detector

        known = read_detector(detector)
        _write_rows(known.automaton.alphabet, partial(as_table, known), SCHEMA, detector, data, out)
    elif automaton is not None:
        from lisor.automata.formats.reading import read_automaton
        from lisor.automata.prediction import Predictions

        reader = Predictions.of(read_automaton(automaton))
        _write_rows(
            reader.automaton.alphabet,
            reader.predict,
            reader.schema,
            automaton,
            data,
            out,
            as_json=reader.as_json,
            measured=reader.measured,
        )


def _write_rows(
    alphabet: Alphabet,
    predict_all: Callable[[Sequences], pa.Table],
    schema: pa.Schema,
    automaton: Path,
    data: Path,
    out: Path | None,
    *,
    as_json: Collection[str] = (),
    measured: Callable[[], str] = str,
) -> None:
    """Write a row for each sequence of a file, some sequences at a time, and say what was
    `measured` of all."""
    from lisor.automata.prediction import csv_writer, writer
    from lisor.data.streams import Rows, columns_of, read_rows, stream_rows
    from lisor.files import check_writable

    if out is not None:
        check_writable(out, automaton, data)
    rows = symbols = 0
    spent = {"cutting texts into symbols": 0.0, "running the automaton and writing": 0.0}
    batches = stream_rows(data, columns_of(alphabet))
    first: Rows = next(batches, [])  # before anything is written: a bad file leaves no output
    with (
        csv_writer(sys.stdout.buffer, schema, as_json)
        if out is None
        else writer(out, schema, as_json)
    ) as write:
        for raw in chain([first], batches):
            started = time.perf_counter()
            sequences = read_rows(alphabet, raw, rows + 1)
            cut = time.perf_counter()
            write(predict_all(sequences))
            spent["cutting texts into symbols"] += cut - started
            spent["running the automaton and writing"] += time.perf_counter() - cut
            rows += len(sequences)
            symbols += len(sequences.symbols)
    times = ", ".join(f"{seconds:.1f} s {what}" for what, seconds in spent.items())
    about = f"{rows:,} sequences of {symbols:,} symbols{measured()}"
    print(f"lisor: {about}; {times}", file=sys.stderr)


@app.command()
def explain(
    run: Annotated[
        str, typer.Option(help="A report folder, or a finished run: NAME, or NAME/KEY.")
    ],
    sequence: Annotated[
        str | None,
        typer.Option(
            "--sequence",
            "--text",
            "--word",
            help="A text, a word such as 0110, symbols, or a series such as [0.1, 0.4] to explain: "
            "whatever the network reads.",
        ),
    ] = None,
    row: Annotated[
        int | None, typer.Option(help="In its place, the number of a sequence of the test split.")
    ] = None,
    position: Annotated[
        int | None,
        typer.Option(
            help="After which step a prediction is explained, where there are several [the last]."
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Which dataset's network [the first that reads it].")
    ] = None,
    cell: Annotated[str | None, typer.Option(help="Which cell's network [the first].")] = None,
    trial: Annotated[int, typer.Option(help="Which of its trials.")] = 0,
    explained: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="What the symbols speak for: a class, or the name of a number [what is most "
            "likely, or the first number].",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="An .html file [explanations/ beside the report].")
    ] = None,
) -> None:
    """Explain one sequence step by step: states of the automaton, what the network predicts, and
    attributions."""
    running.check_unicode(sequence, dataset, cell, explained, out)
    from lisor_flows.explain import explain as explain_sequence

    explain_sequence(run, sequence, row, position, dataset, cell, trial, explained, out)


@app.command()
def export(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    form: Annotated[str, typer.Option("--format", help=f"One of {FORMATS}.")],
    out: Annotated[
        Path | None, typer.Option(help="A file, written over [to the terminal].")
    ] = None,
) -> None:
    """Write an automaton in another format: for another program, or as a program of its own."""
    from lisor.automata.formats.reading import read_automaton
    from lisor.automata.formats.writing import export as write
    from lisor.files import check_writable, writing

    if out is not None:
        check_writable(out, automaton)
    content = write(read_automaton(automaton), form)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    with writing(out) as file:
        file.write(content)


@app.command()
def generate(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    count: Annotated[
        int | None,
        typer.Option("-n", min=1, max=MAX_DRAWN, help="How many [10, or 1 with --greedy]."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws others.")] = 0,
    max_length: Annotated[
        int, typer.Option(min=1, max=MAX_DRAWN, help="Symbols after which a sequence is cut.")
    ] = 1000,
    prefix: Annotated[
        str, typer.Option(help="How sequences begin, as text: of a translation, source and ⇒.")
    ] = "",
    greedy: Annotated[
        bool, typer.Option(help="Take the most likely symbol again and again, draw nothing.")
    ] = False,
) -> None:
    """Draw sequences from an automaton that predicts the next symbol, one a line.

    They are JSON lists where names of symbols have blanks, and of series, the numbers of their
    prototypes."""
    import numpy as np

    from lisor.automata.formats.reading import read_automaton
    from lisor.automata.pdfa import complete, sample
    from lisor.randomness import stream
    from lisor.sequences import Sequences

    if greedy and (count or 1) > 1:
        raise ConfigError(f"--greedy gives a single sequence, got -n {count}; leave -n out")
    count = count or (1 if greedy else 10)
    reader = read_automaton(automaton)
    begun = reader.alphabet.read([prefix]) if prefix else Sequences.from_lists([[]])
    if greedy:
        drawn, ended = complete(reader, begun, max_length=max_length)
    else:
        start, rng = int(reader.run(begun)[0]), stream(seed, "generate")
        drawn, ended = sample(reader, count, rng, start=start, max_length=max_length)
    if not ended.all():
        note = f"{(~ended).sum():,} of {count:,} had not ended after {max_length:,} symbols"
        print(f"lisor: note: {note}", file=sys.stderr)
    for row in range(count):
        word = np.concatenate([begun[0], drawn[row]])
        print(reader.alphabet.write(word.tolist()))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = MLFLOW_PORT,
) -> None:
    """Show the runs of this store in MLflow, on this computer only."""
    from lisor_tasks.artifacts import open_store
    from lisor_tasks.register import registered
    from lisor_tasks.tracked import ARTIFACTS, DATABASE, tracking_uri, uses_own_database

    store = open_store()
    uri = tracking_uri(store.home)
    is_own = uses_own_database(store.home)
    if is_own and not (store.home / DATABASE).exists() and not registered():
        raise ConfigError(
            f"there is no run to show in {store.home}; run first: lisor run quickstart"
        )
    _check_free(port)
    if is_own:
        from lisor_tasks.tracking import own_database

        print_warnings()
        with own_database(store):
            # a relative path: an absolute one may have a question mark, which ends an address
            uri = f"sqlite:///{DATABASE}"
        os.chdir(store.home)
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--backend-store-uri": uri,
        "--default-artifact-root": (store.home / ARTIFACTS).as_uri(),
    }
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *chain(*options.items())])


def _check_free(port: int) -> None:
    """Check that a server can listen at a port: MLflow's own message has fifty lines.

    Raises:
        ConfigError: another program has the port, or this user may not use it."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            reason = f"{error.strerror}; give another with --port"
            raise ConfigError(f"port {port} of 127.0.0.1 cannot be used: {reason}") from None


@app.command()
def track(run: Annotated[str, typer.Argument(help="A finished run: NAME, or NAME/KEY.")]) -> None:
    """Log a finished run to MLflow, unless it is there: a run does so itself, unless MLflow is
    away."""
    from lisor_tasks.register import look_up
    from lisor_tasks.tracking import track
    from lisor_tasks.tracking_server import WHEN_ASKED

    print_warnings()
    experiment, tracked = track.fn(look_up(run), WHEN_ASKED)
    print(f"lisor: {run} is run {tracked} of experiment {experiment} in MLflow", file=sys.stderr)


def main() -> None:
    """The console script `lisor`."""
    with standard_streams():
        _main()


def _main() -> NoReturn:
    gc.set_threshold(*GC_THRESHOLDS)
    atexit.register(gc.freeze)  # else all live objects are searched once more at the end
    try:
        with stopping.raising():
            status = app(standalone_mode=False)
            sys.stdout.flush()
    except stopping.Stopped as stopped:
        print(stopping.LINE, file=sys.stderr)
        sys.exit(stopped.status)
    except OutputClosedError:
        sys.exit(CLOSED)
    except LisorError as error:
        _end(2, str(error))
    except Exception as error:
        if hasattr(error, "format_message"):  # click's errors of the command line
            _end(2, error.format_message() or "expected a command, one of those above")
        if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
            _end(2, f"no file has a name as long as {show(error.filename)}")
        raise
    sys.exit(status)


def _end(status: int, message: str) -> NoReturn:
    print(one_line(f"lisor: {message}"), file=sys.stderr)
    sys.exit(status)


def _set_environment() -> None:
    """Set defaults of Prefect and MLflow, which have to be imported later; the user's own values
    stay."""
    home = Path(os.environ.get("LISOR_HOME") or Path(".lisor").absolute())
    os.environ["LISOR_HOME"] = str(home)
    defaults = {
        **server.default_home(home.absolute()),
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # TaskQueue shows the progress
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # with the default of 7 it takes minutes to give up on a server that is away
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # the folder is made when it is needed
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home directory")
    server.keep_proxies_from_loopback()


if __name__ == "__main__":
    main()
