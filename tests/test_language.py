"""Pages, descriptions, messages and comments are for a native reader: lines that fit, and no turns that only this project used."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestration.settings import PROJECT
from tests.source import syntax_tree

WIDTH = 120
COMMENT_WIDTH = 88  # sqlfmt breaks longer comments where they end
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    PROJECT / "dbt_project" / "models" / "overview.md",
    PROJECT / "tests" / "README.md",
    *sorted((PROJECT / "orchestration" / "team" / "starter").rglob("*.md")),
    *sorted((PROJECT / "dbt_project" / "models").rglob("README.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
    *sorted((PROJECT / "benchmarks").glob("*.md")),
    *sorted((PROJECT / "docs" / "cookbook").glob("*.sql")),
    *sorted(path for path in (PROJECT / "docs" / "shippers").iterdir() if path.is_file()),
]
# What users and developers read of the product itself.
SOURCES = [
    *sorted((PROJECT / "dbt_project").rglob("*.yml")),
    *sorted((PROJECT / "dbt_project").rglob("*.sql")),
    *sorted((PROJECT / "expectations").glob("*.json")),
    *sorted((PROJECT / "expectations").rglob("*.sql")),
    *sorted(
        path
        for folder in ("orchestration", "pricing", "expectations", "demo", "inbox")
        for path in (PROJECT / folder).rglob("*.py")
    ),
    *sorted((PROJECT / "orchestration").rglob("*.j2")),
    *sorted((PROJECT / "inbox").rglob("*.html")),
    PROJECT / "Makefile",
]
BENCHMARKS = sorted(path for ending in ("py", "sql") for path in (PROJECT / "benchmarks").rglob(f"*.{ending}"))
# Prose of those who develop it: comments, docstrings, the names of tests and what a failure says. Other strings of tests
# are data, or quote the product.
TESTS = sorted((PROJECT / "tests").rglob("*.py"))
# Reasons of rejects are values of a mart, which a release compares with the former one.
REASONS = [*(PROJECT / "orchestration" / "landing").glob("*.py"), PROJECT / "pricing" / "usage.py"]
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


def _texts(path: Path) -> Iterator[str]:
    """The parts of a source file that are read as prose."""
    text = path.read_text()
    if path.suffix == ".yml":
        yield from _descriptions(yaml.safe_load(text))
    elif path.suffix == ".json":
        yield from (each["meta"][part] for each in json.loads(text)["expectations"] for part in ("says", "fails"))
    elif path.suffix == ".sql":
        yield " ".join(re.findall(r"^\s*--\s(.*)$", text, re.MULTILINE))
        yield from re.findall(r"\{#-?(.*?)-?#\}", text, re.DOTALL)
    elif path.suffix == ".py":
        comments = (
            token.string
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        )
        yield " ".join(comment.lstrip("# ") for comment in comments)
        yield from _strings(syntax_tree(text), only_docstrings=path in {*REASONS, *TESTS})
        if path in TESTS:
            yield from _names_and_messages(syntax_tree(text))
    else:
        yield text


def _descriptions(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield node["description"]
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        yield from _descriptions(part)


def _strings(tree: ast.Module, *, only_docstrings: bool) -> Iterator[str]:
    if not only_docstrings:
        yield from (
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def _names_and_messages(tree: ast.Module) -> Iterator[str]:
    """Names of functions as sentences, and what is printed when an assertion fails or a test is skipped."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name.replace("_", " ")
        elif isinstance(node, ast.Assert) and node.msg:
            yield ast.unparse(node.msg)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"pytest.skip", "pytest.fail"}:
            yield " ".join(map(ast.unparse, node.args))


def _dialect(text: str) -> list[str]:
    """The turns in a text, each with what to write instead."""
    prose = " ".join(re.sub(r"`[^`\n]+`", "`...`", text).split())
    return [
        f"...{prose[max(0, match.start() - 40) : match.end() + 40]}...: write {instead}"
        for turn, instead in DIALECT.items()
        for match in re.finditer(turn, prose, re.IGNORECASE)
    ]


def _named(page: Path) -> str:
    return page.name if page.name != "README.md" else f"{page.parent.name}/{page.name}"


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_no_line_is_wider_than_a_window(page):
    lines = _unwrappable(page, page.read_text()).splitlines()
    assert [line for line in lines if len(line) > WIDTH and " " in line.strip()] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_words_are_those_of_a_native_reader(page):
    assert _dialect(_prose(page, page.read_text())) == []


def test_the_product_is_worded_like_its_pages():
    found = {
        str(path.relative_to(PROJECT)): turns
        for path in [*SOURCES, *BENCHMARKS, *TESTS]
        if not {"target", "dbt_packages"} & set(path.parts)
        for turns in [[turn for text in _texts(path) for turn in _dialect(text)]]
        if turns
    }
    assert found == {}


def test_no_comment_of_sql_is_broken_by_its_formatter():
    wide = [
        f"{path.name}: {line.strip()}"
        for path in SOURCES
        if path.suffix == ".sql" and "target" not in path.parts
        for line in path.read_text().splitlines()
        if line.lstrip().startswith("-- ") and len(line) > COMMENT_WIDTH and "depends_on:" not in line
    ]
    assert wide == []
