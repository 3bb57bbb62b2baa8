"""A letter: what one receiver gets at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Letter:
    """Words for people, and for machines what they are about."""

    key: str  # a receiver knows a copy by it
    title: str
    body: str  # markdown
    severity: str
    messages: tuple[Mapping[str, Any], ...]
    dedup_key: str  # what a pager keeps together
    ends: bool = False  # it is over: a pager resolves what it opened
    link: str = ""
