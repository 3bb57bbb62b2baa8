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
    ATTRIBUTE,
    PATH,
    Keys,
    MappingError,
    Node,
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
OF_RECORD = "content_hash, line_number, item, is_broken"
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
    statement: str  # from `source_lines` to (content_hash, line_number, item, is_broken, skip, texts of fields)
    parse: str  # the same in steps: from `source_lines` to `records`, an error where a line is not JSON
    parse_each: str  # the same with NULL for such a line
    keys: str | None  # from `records` to the attributes that a batch has
    # for a batch with these attributes: from `records` to `mapped`, which are calls and what others say of them
    apart: Callable[[Keys], str] = field(compare=False)
    calls: Callable[[Keys], str] = field(compare=False)  # from both to the texts of fields of the calls
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
        database.execute(f"create or replace temp table records as {plan.parse()}")
        database.execute(f"create or replace temp table mapped as {plan.apart(frozenset())}")
        database.execute(plan.calls(frozenset()))
        if keys:
            database.execute(keys)
    except duckdb.Error as error:
        raise MappingError(plan.culprit(database) or f"mappings/{source}.yml: {first_line(error)}.") from None
    said = json.dumps([FORMAT, _plain(sections)], sort_keys=True, default=str)
    return Mapping(
        source=source,
        statement=statement,
        parse=plan.parse(),
        parse_each=plan.parse(each=True),
        keys=keys,
        apart=lru_cache(64)(plan.apart),
        calls=lru_cache(64)(plan.calls),
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
        steps = [f"records as ({self.parse(each=True)})"]
        if only:
            return self._statement(steps, None, [only], [f"{self.sql(self.expressions[only].value)} as found"])
        columns = [OF_RECORD, self._skip(None), *self._fields(self.fields, None), *self._kept(None)]
        return self._statement(steps, None, self.expressions, columns)

    def apart(self, there: Keys) -> str:
        """From `records` to what is skipped and why, for a batch that has these attributes and no others.

        Where calls inherit, records that are none have what they may say of a call.
        """
        said = [*TRACE_FIELDS, *self.inherits, "occurredAt", "emitter"] if self.inherits else []
        said = [name for name in said if name in self.fields]
        names = [name for name in self.expressions if name in said or name.startswith("skip ")]
        return self._statement([], there, names, [OF_RECORD, "number", self._skip(there), *self._fields(said, there)])

    def calls(self, there: Keys) -> str:
        """From `records` to the fields of those that `mapped` does not skip."""
        names = [name for name in self.expressions if name in self.fields or name.startswith("keep ")]
        columns = ["content_hash, line_number, item", *self._fields(self.fields, there), *self._kept(there)]
        are_calls = "where number in (select number from mapped where skip is null and not is_broken)"
        if self.windows:  # look at all records
            return f"{self._statement([], there, names, columns)} {are_calls}"
        return self._statement([f"calls as (select * from records {are_calls})"], there, names, columns, "calls")

    def parse(self, each: bool = False) -> str:
        """From lines to records in their order, with what is read of each; `each` line is tried, which takes longer."""
        shape = json.dumps(self._shape()).replace("'", "''")
        read = f"from_json({_renamed('line', self.renames)}, '{shape}')"
        read = f"try({read})" if each else read
        parsed = f"select content_hash, line_number, item, file, {read} as level_0 from source_lines"
        steps = ", ".join([f"parsed as ({parsed})", *self._record_steps()])
        item = "case when records = 0 then item else number - before end as item" if self.depth else "item"
        broken = (
            "case when records = 0 then is_unread else level_record is null end" if self.depth else "level_0 is null"
        )
        empty = "records = 0" if self.depth else "false"
        around = [each.rpartition(" as ")[2] for at in range(1, self.depth) for each in self._read_of(at)]
        columns = [item, f"{broken} as is_broken", f"{empty} as is_empty", *around, *self._read_of(self.depth)]
        return f"with {steps} select number, content_hash, line_number, file, {', '.join(columns)} from numbered"

    def keys(self) -> str | None:
        """From `records` to the (list, key) of each attribute that occurs; None for a mapping without attributes."""
        found = []
        for name in self.paths.attributes:
            asked = ", ".join("'" + key.replace("'", "''") + "'" for key in sorted(self.paths.root(name).children))
            there = f"(select distinct unnest({name}_keys) as key from records)"
            known = f"(select unnest([{asked}]::varchar[]) as key)"
            found.append(f"select '{name}' as list, key from {there} semi join {known} using (key)")
        return " union ".join(found) or None

    def _statement(
        self, steps: list[str], there: Keys | None, names: Iterable[str], columns: Iterable[str], last: str = "records"
    ) -> str:
        """From `last` to these columns, which are of the expressions of these names."""
        for at, layer in enumerate(self.layers):
            texts = "".join(f", {_json(each.text, each.shape)} as {each.column}" for each in layer if each.is_in(there))
            steps.append(f"parsed_{at} as (select *{texts} from {last})")
            last = f"parsed_{at}"
        needed = self._needed(names)
        for at, defined in enumerate(self.ordered()):
            chosen = [f'{self._definition(name, there)} as "let:{name}"' for name in defined if name in needed]
            if chosen:
                steps.append(f"let_{at} as (select *, {', '.join(chosen)} from {last})")
                last = f"let_{at}"
        return f"{'with ' if steps else ''}{', '.join(steps)} select {', '.join(columns)} from {last}"

    def _needed(self, names: Iterable[str]) -> set[str]:
        """The names under `let`, `carry` and `before` that these expressions are made of."""
        waiting, needed = [used for name in names for used in names_in(self.expressions[name].value)], set[str]()
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

    def _skip(self, there: Keys | None) -> str:
        cases = [
            f"when {self.sql(entry.value, there)} then '{why.replace(chr(39), chr(39) * 2)}'"
            for entry, why in self.skips
        ]
        return f"case when is_broken then null when is_empty then 'no record in the line' {' '.join(cases)} end as skip"

    def _fields(self, names: Iterable[str], there: Keys | None) -> Iterator[str]:
        for name in names:
            text = f"({self.sql(self.fields[name].value, there)})::varchar"
            if name in ("externalRequestId", "providerRequestId"):
                text = f"long_id({text})"
            yield f'{text} as "{OWN_COLUMNS.get(name, FIELD + name)}"'

    def _kept(self, there: Keys | None) -> Iterator[str]:
        if self.keep:
            pairs = ", ".join(
                f"""'"{name}":' || to_json(({self.sql(entry.value, there)})::varchar)::varchar"""
                for name, entry in self.keep.items()
            )
            yield f"""nullif('{{' || concat_ws(',', {pairs}) || '}}', '{{}}') as "{FIELD}metadata" """

    def _record_steps(self) -> Iterator[str]:
        """From `parsed` to a row for each record, with its number in the batch: they leave their lists as they are written.

        Records are wide, so that lines are read once: none is stored before its records are, nothing is sorted, and a line
        without records goes along as a row.
        """
        if not self.depth:
            yield "numbered as (select *, level_0 as level_record, row_number() over () as number from parsed)"
            return
        counts = " + ".join(f"coalesce({_count(path)}, 0)" for path in self.records)
        so_far = "over (rows between unbounded preceding and current row)"
        yield f"counted as (select *, level_0 is null as is_unread, ({counts})::bigint as records from parsed)"
        yield (
            f"summed as (select *, sum(records) {so_far} - records as records_before, "
            f"sum(greatest(records, 1)) {so_far} - greatest(records, 1) as rows_before from counted)"
        )
        # the items of an array are one line, whose records are numbered through
        of_line = f"coalesce(max(case when item = 1 then records_before end) {so_far}, 0)"
        yield f"placed as (select *, (rows_before - records_before + {of_line})::bigint as before from summed)"
        kept, last = ["content_hash", "line_number", "item", "file", "is_unread", "records", "before"], "placed"
        for at, lists in enumerate(zip(*self.records, strict=True), 1):
            listed = [_inside(above, keys) for above, keys in zip(self._levels(at - 1), lists, strict=True)]
            names = self._levels(at)
            listed = [_joined(listed)] if at == self.depth else _staggered(listed) if at == 1 else listed
            listed[0] = f"case when records = 0 then [null] else {listed[0]} end"
            read = self._read_of(at - 1) if at > 1 else []
            found = [f"unnest({each}) as {name}" for each, name in zip(listed, names, strict=True)]
            yield f"level_{at} as (select {', '.join([*kept, *read, *found])} from {last})"
            kept, last = [*kept, *(each.rpartition(" as ")[2] for each in read)], f"level_{at}"
        yield f"numbered as (select *, row_number() over () as number from {last})"

    def _levels(self, at: int) -> list[str]:
        """The columns of what is at a level: of lists around records one for each path, of which a row has one."""
        if at == self.depth:
            return ["level_record"]
        return [f"level_{at}_{path}" if at else "level_0" for path in range(len(self.records))]

    def _read_of(self, level: int) -> list[str]:
        """What is read of records or of a list around them: attributes as lists of their keys and of their values."""
        root = "" if level == self.depth else str(level)
        node, columns = self.paths.roots.get(root), self._levels(level)
        read = _without_attributes(node, columns) if node else ""
        found = [f"{read} as {column_of_root(root)}"] if read else []
        for name, (of, steps) in self.paths.attributes.items():
            if of == root:
                listed = _either(_inside(column, steps) for column in columns)
                texts = ", ".join(f"a.value.{kind}" for kind in ATTRIBUTE)
                found.append(f"list_transform({listed}, lambda a: a.key) as {name}_keys")
                found.append(f"list_transform({listed}, lambda a: coalesce({texts})) as {name}_values")
        return found

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


def _either(columns: Iterable[str]) -> str:
    """What the one column of them says that has anything."""
    first, *others = columns
    return f"coalesce({first}, {', '.join(others)})" if others else first


def _without_attributes(node: Node, columns: list[str]) -> str:
    """What is in one of these columns, but for lists of attributes; empty where there is nothing else."""
    if node.is_attributes:
        return ""
    if not node.children or node.is_read or node.is_text or node.is_map:
        return _either(columns)
    parts = {
        name: _without_attributes(child, [node.part(column, name) for column in columns])
        for name, child in sorted(node.children.items())
    }
    kept = [f"{identifier(name)} := {part}" for name, part in parts.items() if part]
    return f"struct_pack({', '.join(kept)})" if kept else ""


def _count(levels: list[list[str]], at: int = 0) -> str:
    """How many records are in nested lists."""
    column = _inside(f"level_{at}", levels[0])
    if len(levels) == 1:
        return f"len({column})"
    return f"list_sum(list_transform({column}, lambda level_{at + 1}: {_count(levels[1:], at + 1)}))"


def _joined(lists: list[str]) -> str:
    """Lists one after the other; one that is alone is not copied."""
    first, *others = lists
    for other in others:
        first = (
            f"case when coalesce(len({other}), 0) = 0 then {first} when coalesce(len({first}), 0) = 0 then {other} "
            f"else list_concat({first}, {other}) end"
        )
    return first


def _staggered(lists: list[str]) -> list[str]:
    """Lists of a line that can leave it side by side, each item in a row of its own: one begins where those before it end."""
    staggered = lists[:1]
    for at, other in enumerate(lists[1:], 1):
        before = " + ".join(f"coalesce(len({each}), 0)" for each in lists[:at])
        staggered.append(
            f"case when records = 0 then null when {before} = 0 or {other} is null then {other} "
            f"else list_concat(list_resize({other}[:0], {before}), {other}) end"
        )
    return staggered


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
