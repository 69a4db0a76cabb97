"""Files of settings: those of the program, and the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lisor.errors import ConfigError


def read_config(name: str, changes: Iterable[str] = ()) -> dict[str, Any]:
    """The settings in a file, given by name or path, with `KEY=VALUE` changes, as plain values.

    Raises:
        ConfigError: there is no such file, or it is not valid."""
    from lisor.settings.reading import load

    return load(find_config(name), changes)


def find_config(name: str) -> Path:
    """The settings file of that name in the program's configs/, or else in the working folder's
    configs/, or of that path. A name with a YAML ending, or with a slash, is a path.

    A file of the user's never hides one of the program's; if both exist, a note says so.

    Raises:
        ConfigError: there is none."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or ("/" in name and path.is_file()):
        return path
    here = Path(__file__).parent
    program = here / "configs" if (here / "configs").is_dir() else here.parent.parent / "configs"
    folders = (program, Path("configs"))
    candidates = [*(folder / f"{name}.yaml" for folder in folders), path]
    existing = [candidate for candidate in candidates if candidate.is_file()]
    for other in existing[1:]:
        if not other.samefile(existing[0]):
            yours = other if "/" in str(other) else f"./{other}"
            print(f"lisor: note: {name} is {existing[0]}; for yours, give {yours}", file=sys.stderr)
    if existing:
        return existing[0]
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise ConfigError(f"expected a settings file or one of {', '.join(known)}, got {name!r}")
