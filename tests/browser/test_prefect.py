"""Prefect's pages of the deployments, on a real server."""

import json
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from demos.servers import prefect, prefect_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has every deployment of prefect.yaml, and one run asked for."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as environment:
        prefect(environment, "work-pool", "create", "lisor", "--type", "process")
        prefect(environment, "deploy", "--all")
        prefect(environment, "deployment", "run", "lisor/quickstart")
        yield environment["PREFECT_API_URL"].removesuffix("/api")


def place(server: str, deployment: str) -> str:
    with urllib.request.urlopen(
        f"{server}/api/deployments/name/lisor/{deployment}", timeout=30
    ) as answer:
        return f"{server}/deployments/deployment/{json.loads(answer.read())['id']}"


def test_every_deployment_is_listed(page: Page, server: str) -> None:
    page.goto(f"{server}/deployments")
    for name in ("paper", "quickstart", "sentiment"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_the_page_of_a_deployment_has_its_runs_schedule_and_limit(page: Page, server: str) -> None:
    page.goto(place(server, "quickstart"))
    expect(page.get_by_text("1 Flow run")).to_be_visible()
    expect(page.get_by_text("lisor_flows.pipeline.lisor_pipeline")).to_be_visible()
    page.goto(place(server, "sentiment"))
    expect(page.get_by_text("At 02:00 AM every day")).to_be_visible()


def test_the_page_of_a_deployment_names_its_settings(page: Page, server: str) -> None:
    page.goto(place(server, "quickstart"))
    page.get_by_text("Parameters", exact=True).first.click()
    expect(page.get_by_text("settings").first).to_be_visible()


def test_the_form_of_a_run_takes_the_name_of_settings(page: Page, server: str) -> None:
    page.goto(f"{place(server, 'quickstart')}/run")
    expect(page.get_by_text("the name of a file of settings in configs").first).to_be_visible()
