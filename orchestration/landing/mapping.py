"""Mappings: a YAML per source says where its records are, which are not calls, and what each native field is made of.

`mappings/` has those that are shipped; `mappings/<source>.yml` in the team's folder replaces single entries of one, or adds
a source. `statement_of` makes one SQL statement of a mapping: from landed lines to the texts of native fields.
docs/mappings.md says how one is written.
"""

# ruff: noqa: S608 - what a mapping says is checked to be single expressions that read nothing but their record (`problem_of`)

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.landing.event_macros import MACROS
from orchestration.landing.expressions import (
    PATH,
    Keys,
    MappingError,
    Paths,
    column_of_root,
    identifier,
    names_in,
    problem_of,
    steps_of,
)
from orchestration.landing.fields import FIELD, FIELDS
from orchestration.landing.mapping_macros import MACROS_OF_MAPPINGS
from orchestration.landing.privacy import is_body
from orchestration.wording import first_line

SHIPPED = Path(__file__).parent / "mappings"
FOLDER = "mappings"  # of a team's folder
FORMAT = 1  # raised when the same mapping gives other rows: then landed files are read again
# What a mapping may fill beyond the fields of the native event.
OWN_COLUMNS = {"emitter": "emitter", "sourceVersion": "source_version"}
FIELD_NAMES = (*(name for name in FIELDS if name not in ("createdAt", "metadata", "withdrawn")), *OWN_COLUMNS)
TRACE_FIELDS = ("traceId", "spanId", "parentSpanId")
NAMED = (
    "let",
    "carry",
    "before",
    "fields",
    "keep",
    "hints",
    "attributes",
    "lists",
    "renames",
)  # sections of name: expression
SECTIONS = ("source", "records", "any_name", "pages", "parse", "inherits", "skip", *NAMED)
OF_A_STATEMENT = re.compile(r"^vendors?:", re.MULTILINE)  # invoice_kinds.py reads those
LEVEL = re.compile(r"\[\*\]")
RESERVED = ("events", "incidents", "invoices", "revenue", "outcomes", "marks")


@dataclass(frozen=True)
class Entry:
    """A value of a mapping, and where it is written."""

    value: Any
    place: str


@dataclass(frozen=True)
class Mapping:
    """A source as the loader reads it."""

    source: str
    statement: str  # from `source_lines` to (content_hash, line_number, item, skip, is_broken, texts of fields)
    parse: str  # the first half of it, from `source_lines` to `parsed`
    over_parsed: Callable[[Keys], str] = field(compare=False)  # the second half, for a batch with these attributes
    keys: str | None  # from `parsed` to the attributes that a batch has
    fields: tuple[str, ...]  # native fields that it fills
    hash: str
    hints: dict[str, str] = field(default_factory=dict)  # required field -> what to do where it is missing
    inherits: tuple[str, ...] = ()  # fields that a span takes from the spans above it
    takes_any_name: bool = False  # files without an ending are JSON
    pages: tuple[str, ...] = ()  # names of a list that a page of an API holds its records in
    is_split: bool = True  # a file may be mapped in pieces
    depth: int = 0  # lists around a record


def read_mappings(team: Path) -> dict[str, Mapping]:
    """Every mapping by source, with what the team's folder says of it. Raises MappingError with a sentence for each mistake."""
    paths = sorted(SHIPPED.glob("*.yml")) + sorted((team / FOLDER).glob("*.yml"))
    texts = ((path.name, path.read_text()) for path in paths)
    return _compiled(tuple((name, text) for name, text in texts if not OF_A_STATEMENT.search(text)))


@lru_cache(8)
def _compiled(texts: tuple[tuple[str, str], ...]) -> dict[str, Mapping]:
    sections: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for name, text in texts:
        path = Path(name)
        try:
            _add(sections.setdefault(path.stem, {}), path, text)
        except MappingError as error:
            problems.append(str(error))
    mappings = {}
    with duckdb.connect() as database:
        database.execute(MACROS + MACROS_OF_MAPPINGS)
        for source, found in sorted(sections.items()):
            try:
                mappings[source] = _compile(source, found, database)
            except MappingError as error:
                problems.append(str(error))
    if problems:
        raise MappingError("\n".join(problems))
    return mappings


def _add(sections: dict[str, Any], path: Path, text: str) -> None:
    """Adds the entries of a file to those of its source: what is there is replaced name by name, rules come before."""
    shown = f"mappings/{path.name}"
    if path.stem in RESERVED or not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        raise MappingError(
            f"{shown}: {path.stem} cannot be a source with a mapping: name the file as the folder of landing."
        )
    for key, node in _pairs(_composed(shown, text), shown, SECTIONS):
        place = f"{shown} line {node.start_mark.line + 1}"
        if key in NAMED:
            names = {"fields": FIELD_NAMES, "hints": FIELD_NAMES}.get(key)
            if key == "keep" and isinstance(node, yaml.SequenceNode):
                for each in node.value:
                    sections.setdefault(key, {})[_last_step(each.value)] = _entry(each, shown)
            else:
                sections.setdefault(key, {}).update(
                    {name: _entry(value, shown) for name, value in _pairs(node, shown, names)}
                )
        elif key == "skip":
            sections[key] = [*_rules(node, shown), *sections.get(key, [])]
        elif key == "source" and _value(node) != path.stem:
            raise MappingError(f"{place}: source is {_value(node)}, and the file is {path.name}: give both one name.")
        else:
            sections[key] = Entry(_value(node), place)


def _composed(shown: str, text: str) -> yaml.MappingNode:
    try:
        document = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise MappingError(f"{shown}{line}: it is not YAML ({first_line(error)}). Correct it.") from None
    if not isinstance(document, yaml.MappingNode):
        raise MappingError(f"{shown}: it is not a list of names and values. docs/mappings.md shows a mapping.")
    return document


def _pairs(node: yaml.Node, shown: str, known: Iterable[str] | None) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise MappingError(f"{shown} line {node.start_mark.line + 1}: names and values are expected here.")
    for key, value in node.value:
        if known is not None and key.value not in known:
            near = get_close_matches(key.value, list(known), n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            raise MappingError(f"{shown} line {key.start_mark.line + 1}: {key.value} is not known here: {advice}")
        yield key.value, value


def _entry(node: yaml.Node, shown: str) -> Entry:
    return Entry(_value(node), f"{shown} line {node.start_mark.line + 1}")


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(each) for each in node.value]
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag.endswith(":null") else node.value
    return {_value(key): _value(value) for key, value in node.value}


def _rules(node: yaml.Node, shown: str) -> Iterator[tuple[Entry, str]]:
    if not isinstance(node, yaml.SequenceNode):
        raise MappingError(f"{shown} line {node.start_mark.line + 1}: skip is a list of `when` and `why`.")
    for each in node.value:
        rule = {name: _entry(value, shown) for name, value in _pairs(each, shown, ("when", "why"))}
        if set(rule) != {"when", "why"}:
            raise MappingError(f"{shown} line {each.start_mark.line + 1}: a rule of skip has `when` and `why`.")
        yield rule["when"], str(rule["why"].value)


def _last_step(path: str) -> str:
    return path.rsplit(".", 1)[-1].strip('"')


def compile_sections(shown: str, sections: dict[str, Any], database: duckdb.DuckDBPyConnection) -> Mapping:
    """The mapping that sections say, whatever its fields are called. `shown` is its file, as sentences name it."""
    return _compile(shown.removeprefix("mappings/").removesuffix(".yml"), sections, database)


def documents_of(
    shown: str,
    text: str,
    known: Iterable[str],
    names: dict[str, Iterable[str]],
    named: Iterable[str] = ("let", "fields", "also"),
) -> dict[str, Any]:
    """The sections of a mapping of another shape: `named` ones by name, `skip` as rules, the others as they are."""
    sections: dict[str, Any] = {}
    for key, node in _pairs(_composed(shown, text), shown, known):
        if key in named:
            sections[key] = {name: _entry(value, shown) for name, value in _pairs(node, shown, names.get(key))}
        elif key == "skip":
            sections[key] = list(_rules(node, shown))
        else:
            sections[key] = _entry(node, shown)
    return sections


def _compile(source: str, sections: dict[str, Any], database: duckdb.DuckDBPyConnection) -> Mapping:
    plan = _Plan(source, sections)
    _check_names(plan)
    everything = [f"({plan.sql(entry.value)}\n)" for entry in plan.expressions.values()]
    if problem_of(database, f"[{', '.join(everything)}]"):
        _find_problem(plan, database)
    statement = plan.statement()
    keys = plan.keys()
    try:
        database.execute(f"create or replace temp table source_lines as {EMPTY_LINES}")
        database.execute(f"create or replace temp table mapped as {statement}")
        database.execute(f"create or replace temp table parsed as {plan.parse()}")
        database.execute(f"create or replace temp table mapped as {plan.over_parsed(frozenset())}")
        if keys:
            database.execute(keys)
    except duckdb.Error as error:
        raise MappingError(plan.culprit(database) or f"mappings/{source}.yml: {first_line(error)}.") from None
    said = json.dumps([FORMAT, _plain(sections)], sort_keys=True, default=str)
    return Mapping(
        source=source,
        statement=statement,
        parse=plan.parse(),
        over_parsed=lru_cache(64)(plan.over_parsed),
        keys=keys,
        fields=tuple(name for name in plan.fields if name not in OWN_COLUMNS),
        hash=hashlib.sha256(said.encode()).hexdigest()[:16],
        hints={name: str(entry.value) for name, entry in sections.get("hints", {}).items()},
        inherits=tuple(_list(sections, "inherits")),
        takes_any_name=_text_of(sections, "any_name") == "true",
        pages=tuple(_list(sections, "pages")),
        is_split=not (sections.get("carry") or sections.get("before")),
        depth=plan.depth,
    )


EMPTY_LINES = (
    "select null::varchar as content_hash, 0::bigint as line_number, 1::bigint as item, null::varchar as file, "
    "null::varchar as line limit 0"
)


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Entry) else value


def _list(sections: dict[str, Any], name: str) -> list[str]:
    value = sections[name].value if name in sections else []
    return value if isinstance(value, list) else [value]


def _text_of(sections: dict[str, Any], name: str) -> str:
    return str(sections[name].value) if name in sections else ""


def _check_names(plan: "_Plan") -> None:
    for name, entry in plan.expressions.items():
        unknown = [used for used in names_in(entry.value) if used not in plan.known]
        if unknown:
            near = get_close_matches(unknown[0], plan.known, n=1)
            advice = f"did you mean {near[0]}?" if near else "write it under `let`."
            raise MappingError(f"{entry.place}: {name} uses {{{unknown[0]}}}, which there is not: {advice}")


def _find_problem(plan: "_Plan", database: duckdb.DuckDBPyConnection) -> None:
    for name, entry in plan.expressions.items():
        if problem := problem_of(database, plan.sql(entry.value)):
            raise MappingError(f"{entry.place}: {name} cannot be read: {problem}.")


class _Plan:
    """A mapping on its way into SQL: its expressions in their order, and what they read of a record."""

    def __init__(self, source: str, sections: dict[str, Any]):
        self.source = source
        self.lets: dict[str, Entry] = {**sections.get("let", {})}
        self.windows = {
            name: (entry, kind) for kind in ("carry", "before") for name, entry in sections.get(kind, {}).items()
        }
        self.lists: dict[str, Entry] = sections.get("lists", {})
        self.renames = {name: str(entry.value) for name, entry in sections.get("renames", {}).items()}
        self.fields = {name: entry for name, entry in sections.get("fields", {}).items() if entry.value is not None}
        self.keep = {name: entry for name, entry in sections.get("keep", {}).items() if entry.value is not None}
        self.skips: list[tuple[Entry, str]] = sections.get("skip", [])
        if missing := [name for name in ("records",) if name not in sections] or ([] if self.fields else ["fields"]):
            raise MappingError(f"mappings/{source}.yml: {missing[0]} is missing. docs/mappings.md shows a mapping.")
        for name, entry in self.keep.items():
            if is_body(name):
                raise MappingError(
                    f"{entry.place}: {name} holds prompts or completions, which are never kept: leave it out."
                )
        self.inherits = _list(sections, "inherits")
        self.records = [_levels(path, sections["records"]) for path in _list(sections, "records")]
        self.depth = max(map(len, self.records))
        lists = {name: _root_and_steps(entry) for name, entry in sections.get("attributes", {}).items()}
        self.paths = Paths(lists)
        self.expressions: dict[str, Entry] = (
            {f"let {name}": entry for name, entry in self.lets.items()}
            | {f"{kind} {name}": entry for name, (entry, kind) in self.windows.items()}
            | dict(self.fields.items())
            | {f"keep {name}": entry for name, entry in self.keep.items()}
            | {f"skip {at}": entry for at, (entry, _) in enumerate(self.skips, 1)}
        )
        self.known = [*self.lets, *self.windows, *self.lists]
        for name, entry in self.expressions.items():
            if not isinstance(entry.value, str):
                raise MappingError(f"{entry.place}: {name} is not a text: write an expression.")
            self.paths.read(entry.value)
        for path in _list(sections, "parse"):
            self.paths.read(path)
            root, steps = _root_and_steps(Entry(path, sections["parse"].place))
            node = self.paths.root(root).at(steps)
            node.is_text, node.is_read = True, True
        self.layers = self.paths.layers()

    def sql(self, expression: str, there: Keys | None = None) -> str:
        """An expression over the columns of the statement; attributes that are not `there` are NULL in it."""
        for name, entry in self.lists.items():
            values = ", ".join("'" + str(value).replace("'", "''") + "'" for value in entry.value or [])
            expression = expression.replace(f"{{{name}}}", f"[{values}]::varchar[]")
        return self.paths.sql(expression, there)

    def ordered(self) -> list[list[str]]:
        """Names of `let`, `carry` and `before` in layers: each uses those of layers before it."""
        waiting = {name: set(names_in(entry.value)) - set(self.lists) for name, entry in self._defined().items()}
        layers: list[list[str]] = []
        done: set[str] = set()
        while waiting:
            ready = [name for name, used in waiting.items() if used <= done]
            if not ready:
                name = min(waiting)
                raise MappingError(
                    f"{self._defined()[name].place}: {name} leads back to itself by way of {', '.join(sorted(waiting))}."
                )
            layers.append(ready)
            done |= set(ready)
            for name in ready:
                del waiting[name]
        return layers

    def _defined(self) -> dict[str, Entry]:
        return self.lets | {name: entry for name, (entry, _) in self.windows.items()}

    def statement(self, only: str | None = None) -> str:
        """The whole statement, or that of one expression, to find the one that does not bind."""
        return self._statement([f"parsed as materialized ({self.parse()})"], None, only)

    def over_parsed(self, there: Keys) -> str:
        """The statement over a table `parsed`, for a batch that has these attributes and no others."""
        return self._statement([], there)

    def parse(self) -> str:
        """From lines to values of the shape that is read, in their order."""
        shape = json.dumps(self._shape()).replace("'", "''")
        return (
            "select content_hash, line_number, item, file, row_number() over () as line_row, "
            f"try(from_json({_renamed('line', self.renames)}, '{shape}')) as level_0 from source_lines"
        )

    def keys(self) -> str | None:
        """From `parsed` to the (list, key) of each attribute that occurs; None for a mapping without attributes."""
        found = []
        for name, (root, steps) in self.paths.attributes.items():
            asked = ", ".join("'" + key.replace("'", "''") + "'" for key in sorted(self.paths.root(name).children))
            depth = int(root) if root else self.depth
            for levels in {tuple(map(tuple, levels[:depth])) for levels in self.records}:
                inner, column = "parsed", "level_0"
                for at, path in enumerate(levels, 1):
                    inner = f"(select unnest({_inside(column, path)}) as level_{at} from {inner})"
                    column = f"level_{at}"
                keys = f"select unnest({_inside(column, steps)}).key as key from {inner}"
                found.append(f"select distinct '{name}' as list, key from ({keys}) where key in ({asked or 'null'})")
        return " union ".join(found) or None

    def _statement(self, steps: list[str], there: Keys | None, only: str | None = None) -> str:
        steps += self._record_steps()
        last = "records"
        if self.paths.attributes:
            steps.append(f"listed as (select *, {', '.join(self._attribute_lists())} from {last})")
            last = "listed"
        for at, layer in enumerate(self.layers):
            columns = "".join(
                f", {_json(each.text, each.shape)} as {each.column}" for each in layer if each.is_in(there)
            )
            steps.append(f"parsed_{at} as (select *{columns} from {last})")
            last = f"parsed_{at}"
        needed = None
        if only:
            needed = self._needed(only)
        for at, names in enumerate(self.ordered()):
            chosen = [name for name in names if needed is None or name in needed]
            if not chosen:
                continue
            columns = ", ".join(f'{self._definition(name, there)} as "let:{name}"' for name in chosen)
            steps.append(f"let_{at} as (select *, {columns} from {last})")
            last = f"let_{at}"
        if only:
            return f"with {', '.join(steps)} select {self.sql(self.expressions[only].value)} as found from {last}"
        return f"with {', '.join(steps)} select {', '.join(self._columns(there))} from {last}"

    def _needed(self, name: str) -> set[str]:
        waiting, needed = list(names_in(self.expressions[name].value)), set[str]()
        while waiting:
            used = waiting.pop()
            if used not in needed and used in self._defined():
                needed.add(used)
                waiting += names_in(self._defined()[used].value)
        return needed

    def culprit(self, database: duckdb.DuckDBPyConnection) -> str | None:
        """The sentence on the first expression that does not bind."""
        order = [name for layer in self.ordered() for name in layer]
        first = [key for name in order for key in self.expressions if key.split(" ")[-1] == name and " " in key]
        for name in [*first, *(key for key in self.expressions if key not in first)]:
            try:
                database.execute(f"explain {self.statement(name)}")
            except duckdb.Error as error:
                said = re.sub(r"^\w+ Error: ", "", first_line(error)).strip().rstrip(".! ")
                return f"{self.expressions[name].place}: {name} cannot be computed: {said}."
        return None

    def _definition(self, name: str, there: Keys | None) -> str:
        entry = self._defined()[name]
        if name not in self.windows:
            return f"({self.sql(entry.value, there)})"
        until = "current row" if self.windows[name][1] == "carry" else "1 preceding"
        return (
            f"last_value(({self.sql(entry.value, there)}) ignore nulls) over (partition by content_hash "
            f"order by line_number, item rows between unbounded preceding and {until})"
        )

    def _attribute_lists(self) -> Iterator[str]:
        for name, (root, steps) in self.paths.attributes.items():
            column = ".".join([column_of_root(root), *map(identifier, steps)])
            texts = ", ".join(
                f"a.value.{kind}" for kind in ("stringValue", "intValue", "doubleValue", "boolValue", "arrayValue")
            )
            yield f"list_transform({column}, lambda a: a.key) as {name}_keys"
            yield f"list_transform({column}, lambda a: coalesce({texts})) as {name}_values"

    def _columns(self, there: Keys | None) -> Iterator[str]:
        yield "content_hash, line_number, item, is_broken"
        cases = [
            f"when {self.sql(entry.value, there)} then '{why.replace(chr(39), chr(39) * 2)}'"
            for entry, why in self.skips
        ]
        yield (
            f"case when is_broken then null when is_empty then 'no record in the line' {' '.join(cases)} end as skip"
        )
        for name, entry in self.fields.items():
            text = f"({self.sql(entry.value, there)})::varchar"
            if name in ("externalRequestId", "providerRequestId"):
                text = f"long_id({text})"
            yield f'{text} as "{OWN_COLUMNS.get(name, FIELD + name)}"'
        if self.keep:
            pairs = ", ".join(
                f"""'"{name}":' || to_json(({self.sql(entry.value, there)})::varchar)::varchar"""
                for name, entry in self.keep.items()
            )
            yield f"""nullif('{{' || concat_ws(',', {pairs}) || '}}', '{{}}') as "{FIELD}metadata" """

    def _record_steps(self) -> Iterator[str]:
        """From `parsed` to `records`: a row for each, numbered within its line in the order in which they are written.

        Spans are wide, so that sorting them to number them would cost as much as reading them. They leave their lists in the
        order of the lines; what comes before each line is counted in lists.
        """
        same = "content_hash, line_number, item, file"
        if not self.depth:
            yield f"records as (select {same}, level_0 as level_record, level_0 is null as is_broken, false as is_empty from parsed)"
            return
        counts = [f"coalesce({_count(levels)}, 0)::bigint as records_{at}" for at, levels in enumerate(self.records)]
        numbers = [f"records_{at}" for at in range(len(self.records))]
        before = [
            f"coalesce(sum({each}) over (order by line_row rows between unbounded preceding and 1 preceding), 0)::bigint as before_{each}"
            for each in numbers
        ]
        yield f"counted as (select {same}, line_row, level_0 is null as is_broken, {', '.join(counts)} from parsed)"
        yield (
            f"""placed as materialized (
                select *, {", ".join(before)}, coalesce(sum({" + ".join(numbers)}) over (
                    partition by content_hash, line_number order by item, line_row
                    rows between unbounded preceding and 1 preceding), 0)::bigint as before_line
                from counted
            )"""
        )
        found = []
        for at, levels in enumerate(self.records):
            place = " + ".join([f"place - before_records_{at} + before_line", *numbers[:at]])
            found.append(
                f"select content_hash, line_number, {place} as item, file, {', '.join(self._levels_kept())}, "
                "level_record is null as is_broken, false as is_empty "
                f"from (select *, row_number() over () as place from ({self._unnested(levels)})) inner join placed using (line_row)"
            )
        found.append(f"select {same}, is_broken, true as is_empty from placed where {' + '.join(numbers)} = 0")
        yield f"records as ({' union all by name '.join(found)})"

    def _levels_kept(self) -> list[str]:
        """The columns of a record, and of the lists around it that something is read of."""
        around = [f"level_{at}" for at in range(1, self.depth) if self._read_around(at)]
        return [*around, "level_record"]

    def _read_around(self, at: int) -> list[str]:
        root = self.paths.roots.get(str(at))
        return sorted(root.children) if root else []

    def _unnested(self, levels: list[list[str]]) -> str:
        """Records as rows, with the row of their line and what is read of the lists around them."""
        inner, around = "parsed", list[str]()
        for at, keys in enumerate(levels, 1):
            above = f"level_{at - 1}"
            kept = [*around]
            if at > 1 and (needed := self._read_around(at - 1)):
                parts = ", ".join(f"{identifier(key)} := {above}.{identifier(key)}" for key in needed)
                kept.append(f"struct_pack({parts}) as {above}")
                around.append(above)
            name = "level_record" if at == self.depth else f"level_{at}"
            inner = f"(select {', '.join(['line_row', *kept])}, unnest({_inside(above, keys)}) as {name} from {inner})"
        return f"from {inner}"

    def _shape(self) -> Any:
        if not self.depth:
            return self.paths.root("").inner_shape()
        whole: dict = {}
        for levels in self.records:
            inner: Any = None
            for at in range(self.depth, 0, -1):
                own = self.paths.root("" if at == self.depth else str(at))
                shape = own.inner_shape() if own.children else {}
                if isinstance(shape, str):
                    raise MappingError(
                        f"mappings/{self.source}.yml: two names of a record in a list differ in case only."
                    )
                inner = [shape | (inner or {}) or {"": "VARCHAR"}]
                for key in reversed(levels[at - 1]):
                    inner = {key: inner}
            whole |= inner or {}
        return whole


def _inside(column: str, keys: Iterable[str]) -> str:
    return ".".join([column, *map(identifier, keys)])


def _count(levels: list[list[str]], at: int = 0) -> str:
    """How many records are in nested lists."""
    column = _inside(f"level_{at}", levels[0])
    if len(levels) == 1:
        return f"len({column})"
    return f"list_sum(list_transform({column}, lambda level_{at + 1}: {_count(levels[1:], at + 1)}))"


def _levels(path: str, entry: Entry) -> list[list[str]]:
    """`$.a[*].b[*]` -> [[a], [b]]; `$` -> []."""
    if path == "$":
        return []
    *lists, rest = LEVEL.split(path.removeprefix("$"))
    if rest or not all(re.fullmatch(r"(\.\w+)+", each) for each in lists):
        raise MappingError(f"{entry.place}: records is {path}: write $ or a path of lists such as $.items[*].")
    return [each.removeprefix(".").split(".") for each in lists]


def _root_and_steps(entry: Entry) -> tuple[str, tuple[str, ...]]:
    found = PATH.fullmatch(str(entry.value))
    if not found:
        raise MappingError(f"{entry.place}: {entry.value} is not a path: write one such as $.attributes.")
    return found[1], tuple(steps_of(found[2]))


def _renamed(line: str, names: dict[str, str]) -> str:
    """A line with the names that the mapping reads, where its first name is one that stands for another."""
    if not names:
        return line
    first = "|".join(names)
    renamed = line
    for name, known in names.items():
        renamed = f"""regexp_replace({renamed}, '"{name}"(\\s*:)', '"{known}"\\1', 'g')"""
    return f"""case when regexp_matches(left({line}, 99), '^\\s*\\{{\\s*"({first})"\\s*:') then {renamed} else {line} end"""


def _json(text: str, shape: Any) -> str:
    types = json.dumps(shape).replace("'", "''")
    return f"case when starts_with(ltrim({text}), '{{') then try(from_json({text}, '{types}')) end"
