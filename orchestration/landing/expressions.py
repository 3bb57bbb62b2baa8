"""Expressions of a mapping: SQL over the paths of a record (`$.usage.prompt_tokens`), checked to read nothing else.

A path becomes a column of the parsed record. What a whole mapping reads of a record is gathered in `Paths`, so that
each JSON text is parsed once, for everything that is asked of it, and nothing else of it is kept.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb

LITERAL = re.compile(r"('(?:[^']|'')*')")
# `$.a."b.c"` is of the record, `$1.a` of the first list around it, `$span."a.b"` of a list of attributes.
PATH = re.compile(r"\$(\w*)((?:\.(?:[A-Za-z_]\w*|\"[^\"]+\"))*)")
STEP = re.compile(r"\.(?:([A-Za-z_]\w*)|\"([^\"]+)\")")
NAME = re.compile(r"\{(\w+)\}")
# Parts of a statement that an expression may be made of: it computes, and reads nothing but its record.
ALLOWED = {
    "CONSTANT",
    "COLUMN_REF",
    "FUNCTION",
    "COMPARISON",
    "CONJUNCTION",
    "OPERATOR",
    "CASE",
    "CAST",
    "BETWEEN",
    "LAMBDA",
    "LAMBDA_REF",
    "COLLATE",
}
ATTRIBUTE = dict.fromkeys(("stringValue", "intValue", "doubleValue", "boolValue", "arrayValue"), "VARCHAR")
SHAPE_OF_ATTRIBUTES = [{"key": "VARCHAR", "value": ATTRIBUTE}]
Keys = frozenset[tuple[str, str]]  # attributes that a batch has, by the name of their list


class MappingError(ValueError):
    """A mapping that cannot be used, as a sentence that begins with its file and line."""


@dataclass
class Node:
    """A place in a JSON value that is read: as text, in its parts, or both."""

    children: dict[str, "Node"] = field(default_factory=dict)
    is_read: bool = False
    is_text: bool = False  # JSON that may come as a text: it is parsed on its own
    is_attributes: bool = False
    parsed: str = ""  # the column of what is in the text

    def at(self, steps: Iterable[str]) -> "Node":
        """The node that steps lead to, made where there is none."""
        node = self
        for step in steps:
            node = node.children.setdefault(step, Node())
        return node

    def shape(self):
        """The type that from_json gives it."""
        if self.is_attributes:
            return SHAPE_OF_ATTRIBUTES
        if not self.children or self.is_text or self.is_read:
            return "VARCHAR"
        return self.inner_shape()

    @property
    def is_map(self) -> bool:
        """Whether names in it differ in case only, which SQL takes for one name: then it is read as a map of texts."""
        return len({name.lower() for name in self.children}) < len(self.children)

    def inner_shape(self):
        """The type of what is in it."""
        if self.is_map:
            return "MAP(VARCHAR, VARCHAR)"
        return {name: child.shape() for name, child in sorted(self.children.items())} or {"": "VARCHAR"}

    def part(self, column: str, name: str) -> str:
        """A part of what is in a column."""
        if self.is_map:
            return f"{column}['{name.replace(chr(39), chr(39) * 2)}']"
        return f"{column}.{identifier(name)}"


class Text(NamedTuple):
    """A text that is parsed separately: into which column, with which shape, and the attribute that it is of."""

    column: str
    text: str
    shape: Any
    attribute: tuple[str, str] | None

    def is_in(self, there: Keys | None) -> bool:
        """Whether a batch with these attributes may have it."""
        return there is None or self.attribute is None or self.attribute in there


@dataclass
class Paths:
    """Everything that a mapping reads, by root: '' is the record, '1' ... the lists around it, a name a list of attributes."""

    attributes: dict[str, tuple[str, tuple[str, ...]]]  # name -> root and steps of the list
    roots: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for root, steps in self.attributes.values():
            self.root(root).at(steps).is_attributes = True

    def root(self, name: str) -> Node:
        """The node of a root."""
        return self.roots.setdefault(name, Node())

    def read(self, expression: str) -> None:
        """Take note of the paths of an expression."""
        for piece in code(expression):
            for found in PATH.finditer(piece):
                self.root(found[1]).at(steps_of(found[2])).is_read = True

    def layers(self) -> list[list[Text]]:
        """Every text that is parsed on its own, those inside of others in later layers."""
        layers: list[list[Text]] = []

        def visit(node: Node, column: str, depth: int, of: tuple[str, str] | None = None) -> None:
            for name, child in sorted(node.children.items()):
                inside = node.part(column, name)
                is_text = child.is_text or child.is_read or node.is_map
                if child.children and not child.is_attributes and is_text:
                    while len(layers) <= depth:
                        layers.append([])
                    child.parsed = f"json_{sum(map(len, layers))}"
                    layers[depth].append(Text(child.parsed, inside, child.inner_shape(), of))
                    visit(child, child.parsed, depth + 1, of)
                else:
                    visit(child, inside, depth, of)

        for root, node in sorted(self.roots.items()):
            if root not in self.attributes:
                visit(node, column_of_root(root), 0)
                continue
            for key, child in sorted(node.children.items()):
                if child.children:
                    while not layers:
                        layers.append([])
                    child.is_text = True
                    child.parsed = f"json_{sum(map(len, layers))}"
                    layers[0].append(Text(child.parsed, attribute(root, key), child.inner_shape(), (root, key)))
                    visit(child, child.parsed, 1, (root, key))
        return layers

    def sql(self, expression: str, there: Keys | None = None) -> str:
        """The expression over the columns of what was parsed; `layers` has been called.

        Attributes that are not `there` are NULL: a mapping names a hundred, and a file has a dozen.
        """
        return "".join(
            piece
            if piece.startswith("'")
            else NAME.sub(r'"let:\1"', PATH.sub(lambda found: self._column(found, there), piece))
            for piece in LITERAL.split(expression)
        )

    def _column(self, found: re.Match, there: Keys | None) -> str:
        root, steps = found[1], steps_of(found[2])
        node, column = self.root(root), column_of_root(root)
        if root in self.attributes:
            key, *steps = steps
            if there is not None and (root, key) not in there:
                return "null::varchar"
            node = node.children[key]
            if not steps:
                return attribute(root, key)
            column = node.parsed
        for at, step in enumerate(steps):
            node, column = node.children[step], node.part(column, step)
            if node.parsed and at < len(steps) - 1:
                column = node.parsed
        return column


def code(expression: str) -> Iterator[str]:
    """The pieces of an expression outside of text literals."""
    return (piece for piece in LITERAL.split(expression) if not piece.startswith("'"))


def steps_of(path: str) -> list[str]:
    """`.a."b.c"` -> [a, b.c]."""
    return [plain or quoted for plain, quoted in STEP.findall(path)]


def names_in(expression: str) -> list[str]:
    """The names of other expressions (`{ok}`) in one."""
    return [name for piece in code(expression) for name in NAME.findall(piece)]


def identifier(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def column_of_root(root: str) -> str:
    """The column of the record, or of a list around it."""
    return f"level_{root or 'record'}"


def attribute(name: str, key: str) -> str:
    """The text of the first attribute of a key: a key twice is legal."""
    return f"{name}_values[list_position({name}_keys, '{key.replace(chr(39), chr(39) * 2)}')]"


def problem_of(database: duckdb.DuckDBPyConnection, sql: str) -> str | None:
    """What keeps an expression (its paths replaced) from being one: a syntax error, or a part that reads something else."""
    row = database.execute("select json_serialize_sql(?)", [f"select ({sql}\n)"]).fetchone()
    tree = json.loads(row[0] if row else "{}")
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        return tree.get("error_message") or "it is not a single expression"
    node = tree["statements"][0]["node"]
    if node.get("type") != "SELECT_NODE" or len(node["select_list"]) != 1 or node["from_table"]["type"] != "EMPTY":
        return "it is not a single expression"
    for kind in _classes(node["select_list"]):
        if kind not in ALLOWED:
            return f"an expression of a mapping reads its record alone, and this one has a {kind.lower()}"
    rest = ("where_clause", "having", "qualify", "sample")
    return "it is not a single expression" if any(node.get(name) for name in rest) or node["modifiers"] else None


def _classes(value) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("class"), str):
            yield value["class"]
        for inner in value.values():
            yield from _classes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _classes(inner)
