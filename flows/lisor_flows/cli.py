"""The command line. Exit status: 0 when the run is whole, 2 for a wrong setting or bad input, 128 and its number for a
signal, 1 for anything else."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import socket
import sys
import time
import warnings
from errno import ENAMETOOLONG
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from lisor.errors import (
    ConfigError,
    DataError,
    DataWarning,
    LisorError,
    ServerError,
    StoreWarning,
    one_line,
    show,
)
from lisor_flows import server, stopping
from lisor_flows import store as store_commands
from lisor_flows.terminal import Commands, OutputClosedError, OutputError, standard_streams

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # which takes what stands in brackets for markup and leaves it out
)

app.add_typer(store_commands.app, name="store")

MLFLOW_PORT = 5000

AUTOMATON = "JSON, as runs leave it in automata/, or .dot (Graphviz, AALpy) or .jff (JFLAP)."

OUT = "Folder of the report, new, empty or of a former one [LISOR_HOME/reports/<name>/<key>]."

EXTRACTION = {
    "clustering": {"k": [2, 16]},
    "extraction": {"rules": ["majority", "dynamics", "refined"]},
}
"""What is done with a network that is brought along, unless a config says otherwise."""

HEAVY = ("torch", "lisor.rnn.training", "lisor.fsa.clustering", "lisor.fsa.evaluation", "lisor.report.plane")
"""What takes seconds to load and nearly every run needs that computes something."""

SELDOM = (20_000, 10, 50)
"""How seldom garbage is looked for: libraries make a million objects that live as long as the process, and at Python's
own thresholds a run searches them twenty times, which takes seconds."""

CLOSED = 141
"""The status of a program whose reader has seen enough, as the shell knows it: 128 and SIGPIPE."""


@app.callback()
def lisor() -> None:
    """Train recurrent networks, read finite state automata off them, and measure how faithful they are."""
    _set_environment()


@app.command()
def run(
    config: Annotated[
        str, typer.Argument(help="A YAML file, or a name: of settings that come with lisor, or in configs/.")
    ],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Only say what would be computed, and why.")] = False,
) -> None:
    """Run an experiment: what is already computed is taken from the store."""
    from lisor.settings import load

    _run(load(find_config(config), changes or []), out, only_plan=only_plan)


@app.command()
def extract(
    network: Annotated[str, typer.Option(help="package.module:build, a callable that makes your network.")],
    data: Annotated[Path, typer.Option(help="CSV, TSV or Parquet with the column symbols (and label, split).")],
    weights: Annotated[Path | None, typer.Option(help="Its weights: .safetensors, or a saved state dict.")] = None,
    alphabet: Annotated[
        str | None, typer.Option(help="The symbols in the network's order: signs, or a file of lines [sorted].")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Names of its classes in order, with commas.")] = None,
    config: Annotated[str | None, typer.Option(help="Settings of clustering, extraction and so on.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
) -> None:
    """Extract automata from a network of your own, with all that a run leaves: table, report, MLflow."""
    from lisor.config import DatasetConfig
    from lisor.settings import load, override

    settings = (
        {**EXTRACTION, "name": DatasetConfig(symbols=str(data)).name} if config is None else load(find_config(config))
    )
    order = None if alphabet is None else _read_alphabet(alphabet)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    settings["datasets"] = [{"symbols": str(data), "order": order, "classes": names}]
    settings["models"] = {"build": network, "weights": None if weights is None else str(weights)}
    sys.path.append(str(Path.cwd()))  # where the user stands, and last: none of its modules hides another
    _run(override(settings, changes or []), out)


def _check_unicode(*arguments: object) -> None:
    """Refuse what cannot stand in a page or a record, such as a name of a file in Latin-1.

    Raises:
        ConfigError: an argument cannot be written as UTF-8."""
    from lisor.settings import is_unicode

    odd = next((argument for argument in arguments if not is_unicode(str(argument))), None)
    if odd is not None:
        raise ConfigError(f"expected Unicode text, got {show(str(odd))}; give another name")


def _read_alphabet(alphabet: str) -> list[str]:
    """The symbols of a file, one on each line, or else the signs themselves."""
    from lisor.files import read_text, reason, shorten

    path = Path(alphabet)
    try:
        if not path.exists() or path.is_dir():
            return list(alphabet)
        return read_text(path).splitlines()
    except (OSError, ValueError) as error:
        why = f"{reason(error)}; give a file with a symbol a line"
        raise DataError(f"the alphabet in {shorten(path)} cannot be read: {why}") from None


def _run(settings: dict[str, Any], out: Path | None, *, only_plan: bool = False) -> None:
    """Run an experiment and say what came of it, or only plan it."""
    from lisor.footprint import check_fits
    from lisor.settings import experiment

    plan = experiment(settings)
    check_fits(plan)
    _check_unicode(out)
    with stopping.ending_at_once():
        from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS

        from lisor_flows.pipeline import find_sources, plan_pipeline
        from lisor_flows.runners import find_runner
        from lisor_tasks.artifacts import open_store
        from lisor_tasks.caching import load_ahead
        from lisor_tasks.published import check_out
        from lisor_tasks.register import registered

        if out is not None:
            check_out(out.absolute())
        for study in plan.studies:
            find_sources(study)  # before anything starts: a missing file should not cost a minute
        if only_plan:
            print(plan_pipeline(plan))
            return
        _set_logging()
        find_runner(plan)  # a missing extra should not cost a minute either
        given = PREFECT_API_URL.value()
        if given:
            server.check_answers(given)
            _conclude(_run_flow(settings, out))
            return
        temporary = server.TemporaryServer(open_store())
        known = any(kept.startswith(f"{plan.name}/") for kept in registered())
        if plan.runner == "threads" and not known:  # else most comes from the cache
            load_ahead(*HEAVY)
        temporary.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
        with server.serving(temporary.url):
            _conclude(_run_flow(settings, out))


def _run_flow(settings: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        ServerError: Prefect's server went away before the run was whole."""
    import httpx

    from lisor_flows.pipeline import run_pipeline

    try:
        return run_pipeline(settings, None if out is None else str(out))
    except httpx.HTTPError as error:
        reason = one_line(str(error), 120) or type(error).__name__
        raise ServerError(
            f"Prefect's server answers no more ({reason}); what was finished is kept: run again when it is back"
        ) from error


@app.command()
def predict(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    data: Annotated[
        Path, typer.Option(help="CSV, TSV or Parquet with a column text (or series), or a .txt file of lines.")
    ],
    out: Annotated[Path | None, typer.Option(help="A .csv or .parquet file [CSV to the terminal].")] = None,
) -> None:
    """Run an automaton: class, final state and path of each sequence of a file without labels."""
    from lisor.data.streams import stream_texts
    from lisor.files import check_writable
    from lisor.fsa.formats.reading import read_automaton
    from lisor.fsa.prediction import csv_writer, reader, writer
    from lisor.fsa.prediction import predict as predict_all

    if out is not None:
        check_writable(out, automaton, data)
    machine = read_automaton(automaton)
    read = reader(machine)
    rows = symbols = 0
    spent = {"cutting texts into symbols": 0.0, "running the automaton and writing": 0.0}
    batches = stream_texts(data, "text" if machine.quantizer is None else "series")
    first = next(batches, [])  # before anything is written: a bad file should leave nothing behind
    with csv_writer(sys.stdout.buffer) if out is None else writer(out) as write:
        for texts in chain([first], batches):
            started = time.perf_counter()
            words = [read(text, row) for row, text in enumerate(texts, rows + 1)]
            cut = time.perf_counter()
            write(predict_all(machine, words, rows + 1))
            spent["cutting texts into symbols"] += cut - started
            spent["running the automaton and writing"] += time.perf_counter() - cut
            rows += len(words)
            symbols += sum(map(len, words))
    told = ", ".join(f"{seconds:.1f} s {what}" for what, seconds in spent.items())
    print(f"lisor: {rows:,} sequences of {symbols:,} symbols; {told}", file=sys.stderr)


@app.command()
def explain(
    run: Annotated[str, typer.Option(help="A report folder, or a finished run: NAME, or NAME/KEY.")],
    text: Annotated[str | None, typer.Option(help="A text to explain.")] = None,
    word: Annotated[str | None, typer.Option(help="A word of a language to explain, such as 0110.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Which data set's network [the first that fits].")] = None,
    cell: Annotated[str | None, typer.Option(help="Which cell's network [the first].")] = None,
    trial: Annotated[int, typer.Option(help="Which of its trials.")] = 0,
    out: Annotated[Path | None, typer.Option(help="An .html file [explanations/ beside the report].")] = None,
) -> None:
    """Explain one sequence: the automaton's states, the network's mind and what counts, step by step."""
    _check_unicode(text, word, dataset, cell, out)
    from lisor_flows.explain import explain as explain_sequence

    explain_sequence(run, text, word, dataset, cell, trial, out)


@app.command()
def export(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    form: Annotated[str, typer.Option("--format", help="json, dot, aalpy, jff, regex, python, c or onnx.")],
    out: Annotated[Path | None, typer.Option(help="A file, written over [to the terminal].")] = None,
) -> None:
    """Write an automaton in another format: for another program, or as a program of its own."""
    from lisor.exports import export as write
    from lisor.files import check_writable, writing
    from lisor.fsa.formats.reading import read_automaton

    if out is not None:
        check_writable(out, automaton)
    content = write(read_automaton(automaton), form)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    with writing(out) as file:
        file.write(content)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = MLFLOW_PORT,
) -> None:
    """Show the runs of this store in MLflow, on this machine only."""
    from lisor_tasks.artifacts import open_store
    from lisor_tasks.register import registered
    from lisor_tasks.told import ARTIFACTS, DATABASE, tracking_uri, uses_own_database

    store = open_store()
    uri = tracking_uri(store.home)
    _check_free(port)
    if uses_own_database(store.home):
        if not (store.home / DATABASE).exists() and not registered():
            raise ConfigError(f"there is no run to show in {store.home}; say first: lisor run quickstart")
        from lisor_tasks.tracking import own_database

        _set_logging()
        with own_database(store):
            uri = f"sqlite:///{DATABASE}"  # no path with a question mark can stand in an address
        os.chdir(store.home)
    place = (store.home / ARTIFACTS).as_uri()
    arguments = ["--backend-store-uri", uri, "--default-artifact-root", place]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), *arguments],
    )


def _check_free(port: int) -> None:
    """Nothing, if a server can listen there: MLflow itself says what is wrong in fifty lines.

    Raises:
        ConfigError: another program has the port, or it is none for this user."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            reason = f"{error.strerror}; give another with --port"
            raise ConfigError(f"port {port} of 127.0.0.1 cannot be used: {reason}") from None


@app.command()
def track(run: Annotated[str, typer.Argument(help="A finished run: NAME, or NAME/KEY.")]) -> None:
    """Show a finished run in MLflow, if it is not there yet: what a run does itself, unless MLflow is away."""
    from lisor_tasks.register import look_up
    from lisor_tasks.tracking import track as tell
    from lisor_tasks.tracking_server import WHEN_ASKED

    _set_logging()
    experiment, found = tell.fn(look_up(run), WHEN_ASKED)
    print(f"lisor: {run} is run {found} of experiment {experiment} in MLflow", file=sys.stderr)


def find_config(name: str) -> Path:
    """The settings file of that name among those of the program, or else in configs/ here, or of
    that path, as which everything counts that has a slash or the ending of YAML.

    A file of the user's hides none of the program's; where both are there, a note says so.

    Raises:
        ConfigError: there is none."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or ("/" in name and path.is_file()):
        return path
    here = Path(__file__).parent
    own = here / "configs" if (here / "configs").is_dir() else here.parent.parent / "configs"
    places = [folder / f"{name}.yaml" for folder in (own, Path("configs"))] + [path]
    found = [place for place in places if place.is_file()]
    for other in found[1:]:
        if not other.samefile(found[0]):
            asked = other if "/" in str(other) else f"./{other}"
            print(f"lisor: note: {name} is {found[0]}; for yours, give {asked}", file=sys.stderr)
    if found:
        return found[0]
    files = [*own.glob("*.yaml"), *Path("configs").glob("*.yaml")]
    known = sorted({file.stem for file in files})
    raise ConfigError(f"expected a settings file or one of {', '.join(known)}, got {name!r}")


def main() -> None:
    """The console script `lisor`."""
    with standard_streams():
        _main()


def _main() -> NoReturn:
    gc.set_threshold(*SELDOM)
    atexit.register(gc.freeze)  # else all that lives is searched once more when the process ends
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
        if hasattr(error, "format_message"):  # a wrong use of the command line, in click's words
            _end(2, error.format_message() or "expected a command, one of those above")
        if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
            _end(2, f"no file has a name as long as {show(error.filename)}")
        raise
    sys.exit(status)


def _end(status: int, message: str) -> NoReturn:
    print(one_line(f"lisor: {message}"), file=sys.stderr)
    sys.exit(status)


def _set_environment() -> None:
    """Defaults for Prefect and MLflow, to be set before they are imported; what the user has set stays."""
    home = Path(os.environ.get("LISOR_HOME") or Path(".lisor").absolute())
    os.environ["LISOR_HOME"] = str(home)
    defaults = {
        **server.default_home(home.absolute()),
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # RunProgress tells what a person wants to know
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own 7 take minutes until a server that is away is given up
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # The folder of a store that is not there yet, or cannot be written: it is made when it is needed.
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home directory")
    server.keep_proxies_from_loopback()


def _set_logging() -> None:
    """A warning about the data is one plain line, however many tasks give it."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        if issubclass(category, (DataWarning, StoreWarning)):
            if str(message) in told:
                return
            told.add(str(message))
            print(one_line(f"lisor: note: {message}"), file=sys.stderr)
        else:
            logging.getLogger("py.warnings").debug("%s", message)

    warnings.showwarning = show  # type: ignore[assignment]


def _conclude(summary: dict[str, Any]) -> None:
    """Show what came of a run, which is whole whether or not anybody can be shown it."""
    try:
        _show(summary)
        sys.stdout.flush()
    except OutputError as error:
        print(one_line(f"lisor: note: the run is whole, but its table is not shown: {error}"), file=sys.stderr)


def _show(summary: dict[str, Any]) -> None:
    """The closing table, and where to look."""
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from lisor.report.tables import SummaryRow, summarize

    folder = Path(summary["out"])
    table = Table(*SummaryRow.HEADINGS, title="selected automata on the test set, mean ± 95 % interval over trials")
    for row in summarize(pd.read_parquet(folder / "results.parquet")):
        table.add_row(*row.cells())
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    for failure in summary["failed"]:
        console.print(f"failed   {failure}")
    for missing in summary["unexplained"]:
        console.print(f"not explained: {missing}")
    console.print(_tell_cache(summary["tasks"]))
    console.print(f"report   {folder / 'report.html'}")
    console.print(f"results  {folder / 'results.parquet'}")
    missing = summary["mlflow"].get("error")
    console.print(f"MLflow   {missing or f'say: lisor ui, then open http://127.0.0.1:{MLFLOW_PORT}'}")
    if "prefect" in summary:
        console.print(f"Prefect  {summary['prefect']['error']}")


def _tell_cache(tasks: dict[str, Any]) -> str:
    total = tasks["run"] + tasks["from_cache"]
    if tasks["run"] == 0:
        return f"all {total} tasks were answered from the cache: nothing was trained"
    ran = f"{tasks['run']} run ({tasks['trained']} of them training)"
    return f"{total} tasks: {ran}, {tasks['from_cache']} from the cache"


if __name__ == "__main__":
    main()
