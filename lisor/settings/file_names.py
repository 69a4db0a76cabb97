"""Names of datasets and networks as parts of names of files."""

from __future__ import annotations

import re
from unicodedata import normalize

MAX_NAME = 60
"""Characters of a name that becomes part of a file's name, which has 255 bytes."""

MAX_NAME_BYTES = 100
"""Of the name of a dataset or of an external network: a file may be named after both."""


def safe_name(stem: str) -> str:
    """What a name becomes as part of a file's name: letters, digits, '-', '_' and '.'."""
    plain = re.sub(r"[^\w.-]+", "_", normalize("NFC", stem))[:MAX_NAME]
    return plain.encode()[:MAX_NAME_BYTES].decode(errors="ignore") or "text"
