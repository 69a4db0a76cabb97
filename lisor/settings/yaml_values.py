"""Plain values read from YAML, where what could be meant in two ways is refused instead of guessed.

YAML 1.1, which PyYAML reads, takes 010 for 8, 1:30 for 90 and no for false; YAML 1.2 reads other
things there."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, ClassVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lisor.errors import show

MAX_CHARACTERS = 500_000
"""Of a text."""

MAX_VALUES = 50_000
"""Values of a text, each as often as aliases repeat it."""

_AMBIGUOUS = "!ambiguous"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's loader of plain values without its guesses."""

    yaml_implicit_resolvers: ClassVar[dict[str | None, list[tuple[str, re.Pattern[str]]]]] = {}
    composed = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.composed += 1
        if self.composed > MAX_VALUES:
            raise ValueError(f"at most {MAX_VALUES:,} values are read, and it has more")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in (
                "tag:yaml.org,2002:str",
                "tag:yaml.org,2002:merge",
            ):
                raise ValueError(
                    f"{_line_of(key)}: expected the name of a setting, got {_written(key)}"
                )
            if key.value in keys:
                raise ValueError(
                    f"{_line_of(key)}: {show(key.value)} is there twice; take one of them out"
                )
            keys.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping

    def refuse(self, node: Node) -> None:
        raise ValueError(
            f"{_line_of(node)}: {_written(node)} is read as a number, a truth value or a date by "
            f"some and as a text by "
            "others; put a text in quotes, write a number in plain digits, and true or false"
        )


def _line_of(node: Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _written(node: Node) -> str:
    return str(node.value)[:60] if isinstance(node, ScalarNode) else "a list or mapping"


_PLAIN = {
    "tag:yaml.org,2002:null": r"~|null|Null|NULL|",
    "tag:yaml.org,2002:bool": r"true|True|TRUE|false|False|FALSE",
    "tag:yaml.org,2002:int": r"[-+]?(?:0|[1-9][0-9]*)",
    "tag:yaml.org,2002:float": r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "tag:yaml.org,2002:merge": r"<<",
    _AMBIGUOUS: r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?0[0-9_]+|[-+]?0[box][0-9a-fA-F_]+"  # octal, binary, hexadecimal
    r"|[-+]?[0-9][0-9_]*(?::[0-9][0-9]?)+(?:\.[0-9_]*)?"  # base 60
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
}
"""What a text without quotes is, where it is no text: the first tag whose pattern it matches."""

for _tag, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), None)
_Loader.add_constructor(_AMBIGUOUS, _Loader.refuse)


def read(text: str) -> Any:
    """The value of a YAML text: null, truth values, numbers, texts, lists, and mappings with texts
    for keys.

    Raises:
        ValueError: it is not YAML, is too long, has a key twice, or holds what YAML's versions read
            differently."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"at most {MAX_CHARACTERS:,} characters are read, and it has {len(text):,}"
        )
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}, set()) > MAX_VALUES:
            raise ValueError(f"aliases repeat values until there are more than {MAX_VALUES:,}")
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (
        Exception
    ) as error:  # not only YAML's own: a tag such as !!int is given to Python's int, and so on
        raise ValueError(str(error)) from None


def _size(node: Node, sizes: dict[int, int], above: set[int]) -> int:
    """How many values a node is with its aliases written out."""
    if id(node) in above:
        raise ValueError(f"{_line_of(node)}: an alias stands for what it is inside of")
    if id(node) not in sizes:
        above.add(id(node))
        parts = node.value if isinstance(node, SequenceNode) else []
        if isinstance(node, MappingNode):
            parts = [part for pair in node.value for part in pair]
        sizes[id(node)] = 1 + sum(_size(part, sizes, above) for part in parts)
        above.remove(id(node))
    return sizes[id(node)]
