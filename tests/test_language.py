"""Pages are written for a native reader: lines that fit a window, and none of the turns that only this project used."""

import re
from pathlib import Path

import pytest

from orchestration.settings import PROJECT

WIDTH = 120
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    PROJECT / "dbt_project" / "models" / "overview.md",
    PROJECT / "pricing" / "overrides" / "README.md",
    *sorted((PROJECT / "docs").glob("*.md")),
    *sorted((PROJECT / "docs" / "cookbook").glob("*.sql")),
    *sorted(path for path in (PROJECT / "docs" / "shippers").iterdir() if path.is_file()),
]
# A turn that only this project used -> what a native writer says.
DIALECT = {
    r"(?<!there )\b(is|are|was|were) no\b(?! longer)": "is not a",
    r"\bbeside\b": "next to, in the same row, compared with",
    r"\bdear(er|est)?\b": "expensive, costs more",
    r"\bmend(s|ed|ing)?\b": "correct",
    r"\btold\b": "notified, announced, distinguished",
    r"\bsp(eaks?|oke|oken)\b": "reports as of, is about, raises an alert",
    r"\b(stands?|stood) (apart|in|under|with)\b": "is listed in, is shown separately",
    r"\bkin\b": "comparable models",
    r"\bhears? of\b": "is notified of",
    r"\bwhat (is|was) said\b": "announced, reported",
    r"\bfor nothing\b": "in error",
    r"\b(a|the|all|which) (try|tries)\b": "attempt",
    r"\bin force\b": "current",
}


def _unwrappable(path: Path, text: str) -> str:
    """The text without what Markdown cannot break: tables, code, headings, and what a program writes between markers."""
    if path.suffix != ".md":
        return text
    text = re.sub(r"<!-- begin ([\w-]+) -->.*?<!-- end \1 -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^[|#].*$", "", text, flags=re.MULTILINE)


def _prose(path: Path, text: str) -> str:
    """The text without code, for which names are names."""
    if path.suffix == ".md":
        text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]+`", "`...`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_is_wider_than_a_window(page):
    lines = _unwrappable(page, page.read_text()).splitlines()
    assert [line for line in lines if len(line) > WIDTH and " " in line.strip()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_words_are_those_of_a_native_reader(page):
    prose = " ".join(_prose(page, page.read_text()).split())
    found = {
        f"...{prose[max(0, match.start() - 40) : match.end() + 40]}...: write {instead}"
        for turn, instead in DIALECT.items()
        for match in re.finditer(turn, prose, re.IGNORECASE)
    }
    assert found == set()
