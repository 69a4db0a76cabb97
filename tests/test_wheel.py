"""The wheel as a user installs it: what it puts where, and what of a user's folder it never
runs."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
MARK = (
    "from pathlib import Path\nPath(__file__).with_suffix('.was-run').touch()\nraise "
    "SystemExit(7)\n"
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed into a folder of its own, beside what it needs."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--target", str(folder), str(wheel))
    return folder


def pip(command: str, *arguments: str) -> None:
    quiet = ["--no-deps", "--quiet", "--disable-pip-version-check"]
    asked = [sys.executable, "-m", "pip", command, *quiet, *arguments]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def lisor(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed console script in a user's folder."""
    environment = {**os.environ, "PYTHONPATH": str(site), "LISOR_HOME": str(folder / "home")}
    command = [sys.executable, str(site / "bin/lisor"), *arguments]
    how = {"cwd": folder, "env": environment, "timeout": 120}
    return subprocess.run(command, capture_output=True, text=True, **how)


def test_its_top_level_is_ours_alone(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "lisor",
        "lisor_tasks",
        "lisor_flows",
    }
    assert len(top) == 4
    ours = {
        str(path.relative_to(ROOT / folder))
        for folder in (".", "tasks", "flows")
        for path in found(folder)
    }
    assert ours <= set(names)


def found(folder: str) -> list[Path]:
    """The modules of the package in a folder of the repository."""
    package = {".": "lisor", "tasks": "lisor_tasks", "flows": "lisor_flows"}[folder]
    return [*(ROOT / folder / package).rglob("*.py")]


def test_its_settings_are_those_of_the_repository(wheel: Path) -> None:
    with ZipFile(wheel) as files:
        for path in (ROOT / "configs").iterdir():
            assert files.read(f"lisor_flows/configs/{path.name}") == path.read_bytes()


def test_settings_are_found_beside_the_program(site: Path, tmp_path: Path) -> None:
    done = lisor(site, tmp_path, "run", "quickstart", "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert " tasks: 0 cached" in done.stdout
    known = lisor(site, tmp_path, "run", "absent").stderr
    assert all(path.stem in known for path in (ROOT / "configs").glob("*.yaml"))


def test_nothing_of_the_users_is_run_or_hides_ours(site: Path, tmp_path: Path) -> None:
    before = lisor(site, tmp_path, "run", "quickstart", "--plan")
    modules = (
        "tasks",
        "lisor_user",
        "lisor",
        "lisor_tasks",
        "lisor_flows",
        "prefect",
        "yaml",
        "flows/__init__",
    )
    for name in modules:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(MARK)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/quickstart.yaml").write_text("nothing: of ours")
    done = lisor(site, tmp_path, "run", "quickstart", "--plan")
    assert (done.returncode, done.stdout) == (0, before.stdout)
    ours = site / "lisor_flows/configs/quickstart.yaml"
    assert (
        done.stderr
        == f"lisor: note: quickstart is {ours}; for yours, give configs/quickstart.yaml\n"
    )
    assert not list(tmp_path.rglob("*.was-run"))
    wrong = lisor(site, tmp_path, "run", "configs/quickstart.yaml", "--plan")
    assert (wrong.returncode, "'nothing'" in wrong.stderr) == (2, True)


def test_a_network_of_the_users_is_found_after_all_that_is_installed(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text(MARK)
    (tmp_path / "mine.py").write_text(
        "import torch\n\ndef build():\n    return torch.nn.Identity()\n"
    )
    (tmp_path / "words.csv").write_text("symbols,label\n" + "ab,1\nba,0\n" * 40)
    done = lisor(site, tmp_path, "extract", "--network", "mine:absent", "--data", "words.csv")
    assert done.returncode == 2
    assert "absent" in done.stderr
    assert not list(tmp_path.rglob("*.was-run"))
