"""Writes into docs/settings.md what settings there are, and configs/schema.json, from the models.

python -m docs.write_settings"""

from __future__ import annotations

import json
import re
from pathlib import Path

from lisor.settings.schema import json_schema, page

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/settings.md"
SCHEMA = ROOT / "configs/schema.json"


def fill(text: str) -> str:
    """The page with what is generated as it is now."""
    made = f"<!-- settings -->\n\n{page()}\n<!-- /settings -->"
    return re.sub(r"<!-- settings -->.*<!-- /settings -->", lambda _: made, text, flags=re.DOTALL)


def schema() -> str:
    """The JSON Schema of a file of settings."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
