"""Take the pictures of pages in docs/images/: the report, MLflow and Prefect.

make screenshots        runs the quickstart in the store of LISOR_HOME, unless it is there, and
                        opens it in Chromium
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from playwright.sync_api import Browser, Page

from demos.chromium import CHROMIUM, chromium
from demos.servers import ROOT, mlflow_pages, prefect, prefect_server, running, wait

IMAGES = ROOT / "docs/images"
HOME = Path(os.environ.get("LISOR_HOME") or ROOT / ".lisor").absolute()
PATIENCE = 120_000
"""Milliseconds until a page is there, on a loaded machine."""


def main() -> None:
    """Take all."""
    if CHROMIUM is None:
        sys.exit("there is no browser; run: apt-get install chromium")
    environment = {**os.environ, "LISOR_HOME": str(HOME)}
    subprocess.run(
        [sys.executable, "-m", "lisor_flows.cli", "run", "quickstart"],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    with chromium() as browser:
        take_report(browser)
        take_mlflow(browser)
        take_prefect(browser)


def take_report(browser: Browser) -> None:
    """The section of the language, from its curves to its first automata."""
    page = _open(browser, 1000, 1000)
    page.goto((HOME / "reports/quickstart/latest/report.html").as_uri())
    page.get_by_role("heading", name="Hidden states").first.scroll_into_view_if_needed()
    page.evaluate(
        "[...document.querySelectorAll('h2')].find((it) => it.textContent == "
        "'000').scrollIntoView()"
    )
    _save(page, "report")


def take_mlflow(browser: Browser) -> None:
    """The page of a network's run, and its curves."""
    client = MlflowClient(f"sqlite:///{HOME / 'mlflow.db'}")
    found = client.get_experiment_by_name("quickstart")
    assert found is not None
    experiment = found.experiment_id
    run = client.search_runs([experiment], "attributes.run_name = '000-gru-0'")[0].info.run_id
    with mlflow_pages(HOME) as url:
        page = _open(browser, 1280, 800)
        page.goto(f"{url}/#/experiments/{experiment}/runs/{run}")
        page.get_by_role("heading", name="000-gru-0").wait_for()
        page.get_by_text("Parameters").first.wait_for()
        page.get_by_role(
            "button", name="Close"
        ).click()  # a chat with a language model, which is not set up
        _save(page, "mlflow-run")
        page.get_by_role("tab", name="Model metrics").click()
        page.get_by_role("searchbox", name="Search metric charts").fill(
            "^test/|^train_loss|^validation_accuracy"
        )
        page.locator(".js-plotly-plot .scatterlayer path.js-line").nth(3).wait_for(state="attached")
        _save(page, "mlflow-metrics")


def take_prefect(browser: Browser) -> None:
    """The page of the deployment quickstart with a run that a worker has done."""
    with TemporaryDirectory() as folder, prefect_server(Path(folder)) as own:
        environment = {**own, "LISOR_HOME": str(HOME)}
        api = environment["PREFECT_API_URL"]
        prefect(environment, "work-pool", "create", "lisor", "--type", "process")
        prefect(environment, "deploy", "--all")
        prefect(environment, "deployment", "run", "lisor/quickstart")
        with running(
            "-m", "prefect", "worker", "start", "--pool", "lisor", environment=environment
        ):
            wait(
                lambda: _ask(
                    f"{api}/flow_runs/count",
                    {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}},
                ),
                600,
            )
            deployment = _ask(f"{api}/deployments/name/lisor/quickstart")["id"]
            page = _open(browser, 1280, 720)
            page.goto(f"{api.removesuffix('/api')}/deployments/deployment/{deployment}")
            page.get_by_text("Completed").first.wait_for()
            _save(page, "prefect-deployment")


def _ask(url: str, body: dict[str, object] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(url, data, {"Content-Type": "application/json"})
    ) as answer:
        return json.loads(answer.read())


def _open(browser: Browser, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE)
    return page


def _save(page: Page, name: str) -> None:
    page.wait_for_timeout(2000)  # until what moves stands still
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
