"""MLflow's pages on a real run, served as `lisor ui` serves them."""

import re
from collections.abc import Iterator

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, expect

from demos.servers import mlflow_pages
from tests.browser.conftest import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(run: Run) -> dict[str, str]:
    """The path of each run's page, by its name."""
    client = MlflowClient(f"sqlite:///{run.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("browsed").experiment_id
    found = client.search_runs([experiment])
    return {
        str(one.info.run_name): f"#/experiments/{experiment}/runs/{one.info.run_id}"
        for one in found
    }


@pytest.fixture(scope="module")
def pages(run: Run) -> Iterator[str]:
    with mlflow_pages(run.home) as url:
        yield url


def test_the_page_of_a_run_has_its_parameters_and_metrics(
    page: Page, pages: str, runs: dict[str, str]
) -> None:
    page.goto(f"{pages}/{runs['language-gru-0']}")
    page.get_by_placeholder("Search metrics").fill(
        "selected.fidelity"
    )  # only rows in view are there
    expect(page.get_by_text("selected.fidelity").first).to_be_visible()
    expect(page.get_by_text("network.hidden_size").first).to_be_visible()


@pytest.mark.parametrize(
    "metric", ["train_loss", "test/kmeans.majority.fidelity"], ids=["epochs", "k"]
)
def test_curves_are_drawn(page: Page, pages: str, runs: dict[str, str], metric: str) -> None:
    page.goto(f"{pages}/{runs['language-gru-0']}/model-metrics")
    page.get_by_role("searchbox", name="Search metric charts").fill(f"^{metric}$")
    expect(page.get_by_role("heading", name=metric.rpartition("/")[2], exact=True)).to_have_count(1)
    expect(page.locator(".js-plotly-plot .scatterlayer path.js-line").first).to_be_attached()


def test_the_report_is_shown_among_the_artifacts(
    page: Page, pages: str, runs: dict[str, str]
) -> None:
    page.goto(f"{pages}/{runs['browsed']}/artifacts/report.html")
    shown = page.frame_locator("iframe")
    expect(shown.get_by_role("heading", name="browsed", exact=True)).to_be_visible()
    expect(shown.locator("svg").first).to_be_visible()
    expect(page).not_to_have_title(re.compile("taken"))
