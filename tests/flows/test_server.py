"""Which Prefect serves a run: the user's own, or one of the store's."""

import os
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from lisor.errors import ServerError
from lisor_flows import server
from tests.flows.servers import NOWHERE, WRONG, listening

PROFILES = """
active = "mine"
[profiles.ephemeral]
PREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"
[profiles.mine]
{}
"""


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".prefect").mkdir()
    return tmp_path / ".prefect"


@pytest.mark.parametrize(
    "profiles",
    [
        None,
        b"garbage [[[",
        b"\xff\x00\xfe",
        b"profiles = 3\nactive = []",
        PROFILES.format('PREFECT_LOGGING_LEVEL = "DEBUG"').encode(),
    ],
    ids=["none", "garbage", "bytes", "other types", "no server"],
)
def test_prefect_lives_in_the_store_whatever_is_in_the_users_home(
    user_home: Path, profiles: bytes | None
) -> None:
    if profiles is not None:
        (user_home / "profiles.toml").write_bytes(profiles)
    assert server.default_home(Path("/store")) == {"PREFECT_HOME": "/store/prefect"}


def test_a_profile_that_names_a_server_is_used(user_home: Path) -> None:
    (user_home / "profiles.toml").write_text(
        PROFILES.format('PREFECT_API_URL = "http://127.0.0.1:4200/api"')
    )
    assert server.default_home(Path("/store")) == {}


@pytest.mark.parametrize("name", ["PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"])
def test_a_home_that_is_given_is_used(
    user_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "given")
    assert server.default_home(Path("/store")) == {}


@pytest.mark.parametrize(
    "proxies",
    [
        {"HTTP_PROXY": NOWHERE},
        {"http_proxy": NOWHERE, "no_proxy": "example.org"},
        {"ALL_PROXY": NOWHERE, "NO_PROXY": ""},
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
    ],
    ids=["HTTP_PROXY", "no_proxy", "ALL_PROXY", "SOCKS"],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_stands_before_this_machine(
    monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str], host: str
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_PROXY", "no_proxy"):  # so that what is set below is undone
        monkeypatch.setenv(name, os.environ.get(name, ""))
    server.keep_proxies_from_loopback()
    with listening(WRONG["a page"]) as url:
        assert "It works!" in httpx.get(url.replace("127.0.0.1", host), timeout=5).text
    excepted = os.environ["no_proxy"].split(",")
    assert set(server.LOOPBACK) <= set(excepted)
    assert ("example.org" in excepted) == (proxies.get("no_proxy") == "example.org")


@pytest.mark.parametrize("kind", WRONG)
def test_a_given_server_that_is_not_prefects_is_one_line(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ANSWER_SECONDS", 2.0)
    said = pytest.raises(ServerError, match="expected Prefect's API at PREFECT_API_URL")
    with (
        listening(WRONG[kind]) as url,
        temporary_settings({PREFECT_API_URL: f"{url}/api"}),
        said as raised,
    ):
        server.check_answers(f"{url}/api")
    assert len(str(raised.value)) <= 300


def test_a_given_server_that_answers_is_good(prefect_server: None) -> None:
    server.check_answers(str(PREFECT_API_URL.value()))


@pytest.mark.parametrize("url", [f"{NOWHERE}/api", "ftp://127.0.0.1/api", "nonsense " * 100])
def test_an_address_without_a_server_is_one_line(url: str) -> None:
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(ServerError) as raised:
        server.check_answers(url)
    assert len(str(raised.value)) <= 300
