"""Kinds of invoices and cost exports: a YAML each in `mappings/invoices`, and statements that a team maps onto the same fields.

The expressions are those of mappings (`expressions.py`). A kind says besides how its files are recognised, where their items
are, and what a restatement of it replaces. docs/finance.md says how a statement is mapped.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.landing.expressions import MappingError
from orchestration.landing.mapping import OF_A_STATEMENT, Entry, compile_sections, documents_of
from orchestration.landing.mapping_macros import MACROS_OF_MAPPINGS
from orchestration.team.invoices import INVOICE_SERVICE_SCOPE, ServiceScope
from orchestration.team.rows import TeamFileError, read_rows

SHIPPED = Path(__file__).parent / "mappings" / "invoices"
FORMAT = 3  # raised when the same file gives other rows: then landed invoices are read again
TEXTS = (
    "invoice_id",
    "billing_account_id",
    "sub_account_id",
    "request_id",
    "description",
    "label",
    "model",
    "leaf",
    "processing",
    "service_tier",
    "region",
    "context_window",
    "service",
    "charge_class",
    "quantity",
    "unit",
    "unit_scale",
    "unit_price",
    "project_id",
    "api_key_id",
    "user_id",
    "tags",
    "line_type",
)
AMOUNTS = ("amount", "effective_amount", "list_amount", "contracted_amount")
TIMES = ("charge_period_start", "charge_period_end", "billing_period_start", "billing_period_end", "refreshed_at")
OTHER = ("currency", "amount_unit", "usd_amount", "usd_divisor", "list_price", "list_currency", "billing_month")
FIELDS = (*TEXTS, *AMOUNTS, *TIMES, *OTHER, "services", "is_month_only", "counts")
OF_KINDS = (
    "kind",
    "vendors",
    "preference",
    "items",
    "object",
    "recognised_by",
    "recognised_by_any",
    "refused_by",
    "grouped_by",
    "model_columns",
    "overlapping",
    "finality",
    "period",
    "period_end",
    "zone",
    "date_format",
    "is_usage",
    "also",
    "parse",
    "skip",
    "let",
    "fields",
    "decimal",
    "thousands",
)
OF_STATEMENTS = (
    "vendor",
    "delimiter",
    "decimal",
    "thousands",
    "currency",
    "date_format",
    "zone",
    "period_end",
    "columns",
    "unit_scale",
    "kinds",
    "skip",
    "preference",
)
COLUMNS = {  # of a statement -> field
    "invoice_id": "invoice_id",
    "account": "billing_account_id",
    "sub_account": "sub_account_id",
    "billing_period_start": "billing_period_start",
    "billing_period_end": "billing_period_end",
    "charge_period_start": "charge_period_start",
    "charge_period_end": "charge_period_end",
    "model": "model",
    "kind": "label",
    "description": "description",
    "service": "service",
    "region": "region",
    "quantity": "quantity",
    "unit": "unit",
    "unit_price": "unit_price",
    "amount": "amount",
    "currency": "currency",
}
# Columns without which a statement is not read; a currency may be said for all lines instead.
NEEDED = ("charge_period_start", "amount", "currency")
ALSO = ("leaf", "line_type", "model", "processing", "service_tier")  # what a kind of a statement's lines may say


@dataclass(frozen=True)
class Kind:
    """How one kind of file is read."""

    name: str  # its source_kind
    place: str  # the file it is written in, for sentences
    vendors: tuple[str, ...]  # folders of landing/invoices, or *
    statement: str  # from `source_lines` to texts of fields
    recognised_by: frozenset[str]  # names that each of its records has
    names: frozenset[str] = frozenset()  # every name that it reads
    recognised_by_any: frozenset[str] = frozenset()  # names of which each has one
    is_named: str = ""  # what its records call themselves, as `object`
    refused_by: frozenset[str] = frozenset()  # names that none of them has
    items: tuple[tuple[str, ...], ...] = ((),)  # lists on the way to a record, by alternative
    # a line of its own -> the names that its amount may have in the record
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)
    grouped_by: tuple[str, ...] = ()
    model_columns: tuple[str, ...] = ()
    preference: int = 3
    is_overlapping: bool = False
    is_usage: bool = False
    finality: str = (
        "invoice"  # invoice: once it names one; confirmed: once it came again, equal; days:N after the period
    )
    by_billing_period: bool = False
    is_appended: bool = False  # rows of another refresh add to the same period
    ends_inclusive: bool = False
    zone: ZoneInfo = ZoneInfo("UTC")
    date_format: str | None = None
    decimal: str = "."
    thousands: str = ""
    delimiter: str | None = None

    def reads(self, vendor: str) -> bool:
        """Whether its files land in the folder of a vendor."""
        return vendor in self.vendors or "*" in self.vendors


@dataclass(frozen=True)
class Kinds:
    """Every kind, and which services are in scope."""

    kinds: tuple[Kind, ...]
    scope: tuple[ServiceScope, ...]

    def of_vendor(self, vendor: str) -> list[Kind]:
        """Those that may land in a vendor's folder, its own first."""
        return sorted((kind for kind in self.kinds if kind.reads(vendor)), key=lambda kind: "*" in kind.vendors)


def hash_of_kinds(team: Path) -> str:
    """What landed invoices were read with: with another mapping or scope they are read again."""
    digest = hashlib.sha256(str(FORMAT).encode())
    for name, text in _texts(team):
        digest.update(Path(name).name.encode() + text.encode())
    scope = team / INVOICE_SERVICE_SCOPE.file
    digest.update(scope.read_bytes() if scope.exists() else b"")
    return digest.hexdigest()[:16]


def read_kinds(team: Path) -> Kinds:
    """Every kind, the team's statements included. Raises MappingError with a sentence for each mistake."""
    try:
        scope = read_rows(team, INVOICE_SERVICE_SCOPE)
    except TeamFileError as error:
        raise MappingError(str(error)) from None
    return Kinds(_compiled(_texts(team)), tuple(scope))


def statement_files(team: Path) -> list[Path]:
    """The team's mappings of statements: those that name a vendor."""
    folder = team / "mappings"
    paths = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml"), *folder.glob("invoices/*.y*ml")])
    return [path for path in paths if is_statement(path.read_text()) or path.parent.name == "invoices"]


def is_statement(text: str) -> bool:
    """Whether a mapping is one of a statement and not of a usage source."""
    return OF_A_STATEMENT.search(text) is not None


def _texts(team: Path) -> tuple[tuple[str, str], ...]:
    paths = [*sorted(SHIPPED.glob("*.yml")), *statement_files(team)]
    return tuple((str(path), path.read_text()) for path in paths)


@lru_cache(8)
def _compiled(texts: tuple[tuple[str, str], ...]) -> tuple[Kind, ...]:
    kinds, problems = [], []
    with duckdb.connect() as database:
        database.execute(MACROS_OF_MAPPINGS)
        for name, text in texts:
            try:
                kinds.append(_compile(Path(name), text, database))
            except MappingError as error:
                problems.append(str(error))
    if problems:
        raise MappingError("\n".join(problems))
    return tuple(kinds)


def _compile(path: Path, text: str, database: duckdb.DuckDBPyConnection) -> Kind:
    shown = f"mappings/{'invoices/' if path.parent.name == 'invoices' else ''}{path.name}"
    if is_statement(text) and "\nfields:" not in text:
        return _statement(shown, text, database)
    found: dict[str, Any] = documents_of(shown, text, OF_KINDS, {"fields": FIELDS})
    plain = {name: entry.value for name, entry in found.items() if isinstance(entry, Entry)}
    if not plain.get("kind") or not plain.get("recognised_by") or not plain.get("vendors"):
        raise MappingError(f"{shown}: kind, vendors and recognised_by say which files it is for: add them.")
    kind = Kind(
        name=plain["kind"],
        place=shown,
        vendors=tuple(plain["vendors"]),
        statement=compile_sections(shown, _sections(found, shown), database).statement,
        recognised_by=frozenset(plain["recognised_by"]),
        recognised_by_any=frozenset(plain.get("recognised_by_any", ())),
        names=_names_in(text).union(
            *(plain.get(each, ()) for each in ("recognised_by", "recognised_by_any", "refused_by", "grouped_by"))
        ),
        is_named=plain.get("object", ""),
        refused_by=frozenset(plain.get("refused_by", ())),
        items=tuple(_levels(path) for path in _listed(plain.get("items", "$"))),
        also={name: tuple(re.findall(r"\$\.(\w+)", entry.value)) for name, entry in found.get("also", {}).items()},
        grouped_by=tuple(plain.get("grouped_by", ())),
        model_columns=tuple(plain.get("model_columns", ())),
        preference=int(plain.get("preference", 3)),
        is_overlapping=plain.get("overlapping") == "true",
        is_usage=plain.get("is_usage") == "true",
        finality=plain.get("finality", "invoice"),
    )
    return _dialect(kind, plain, shown)


def _dialect(kind: Kind, plain: dict[str, Any], shown: str) -> Kind:
    try:
        zone = ZoneInfo(plain.get("zone", "UTC"))
    except (KeyError, ValueError, OSError):
        raise MappingError(f"{shown}: zone is {plain['zone']}, no IANA time zone such as Europe/Paris.") from None
    if plain.get("period_end", "exclusive") not in ("inclusive", "exclusive"):
        raise MappingError(f"{shown}: period_end is {plain['period_end']}: write inclusive or exclusive.")
    return replace(
        kind,
        zone=zone,
        by_billing_period=plain.get("period") in ("billing", "appended"),
        is_appended=plain.get("period") == "appended",
        ends_inclusive=plain.get("period_end") == "inclusive",
        date_format=plain.get("date_format"),
        decimal=plain.get("decimal", "."),
        thousands=plain.get("thousands", ""),
        delimiter=plain.get("delimiter"),
    )


def _sections(found: dict[str, Any], shown: str) -> dict[str, Any]:
    kept = {name: found[name] for name in ("let", "fields", "skip", "parse") if name in found}
    return kept | {"records": Entry("$", shown)}


def _statement(shown: str, text: str, database: duckdb.DuckDBPyConnection) -> Kind:
    """A statement as a kind: its columns are paths, and what its kinds of lines say are cases of them."""
    found = documents_of(shown, text, OF_STATEMENTS, {"columns": COLUMNS}, ("columns", "unit_scale", "kinds"))
    plain = {name: entry.value for name, entry in found.items() if isinstance(entry, Entry)}
    columns: dict[str, Entry] = found.get("columns", {})
    needed = [name for name in NEEDED if name != "currency" or "currency" not in plain]
    for name in needed:
        if name not in columns:
            otherwise = ", or write `currency: USD`" if name == "currency" else ""
            raise MappingError(f"{shown}: columns has no {name}: name the column that has it{otherwise}.")
    fields = {COLUMNS[name]: Entry(f"$.{json.dumps(str(entry.value))}", entry.place) for name, entry in columns.items()}
    fields |= _said_by_kinds(found.get("kinds", {}), columns, fields, shown)
    if "unit" in columns and found.get("unit_scale"):
        fields["unit_scale"] = Entry(_cases(fields["unit"].value, found["unit_scale"].items()), shown)
    fields.setdefault("description", fields.get("label", Entry("'statement'", shown)))
    fields.setdefault("line_type", Entry("'usage'", shown))
    if "currency" in plain:
        fields.setdefault("currency", Entry(_text(plain["currency"]), shown))
    fields.setdefault("charge_period_end", fields["charge_period_start"])
    sections = {"fields": fields, "records": Entry("$", shown)} | {n: found[n] for n in ("skip",) if n in found}
    vendor = plain.get("vendor", "")
    kind = Kind(
        name="generic",
        place=shown,
        vendors=(vendor,),
        statement=compile_sections(shown, sections, database).statement,
        recognised_by=frozenset(str(columns[name].value) for name in needed),
        names=frozenset(str(entry.value) for entry in columns.values()),
        preference=int(plain.get("preference", 3)),
    )
    return replace(_dialect(kind, plain, shown), by_billing_period=True)


def _said_by_kinds(
    kinds: dict[str, Entry], columns: dict[str, Entry], fields: dict[str, Entry], shown: str
) -> dict[str, Entry]:
    """What `kinds` says of lines by the text of their kind: a kind that it lacks keeps its label, for the team's label map."""
    if not kinds:
        return {}
    if "kind" not in columns:
        raise MappingError(f"{shown}: kinds needs the column of the kind: add `kind` to columns.")
    said: dict[str, Entry] = {}
    for name, entry in kinds.items():
        values = entry.value if isinstance(entry.value, dict) else {}
        unknown = sorted(set(values) - set(ALSO))
        if unknown or not values:
            raise MappingError(
                f"{entry.place}: {name} may say {', '.join(ALSO)}, and says {', '.join(unknown) or '?'}."
            )
    label = fields["label"].value
    for what in ALSO:
        cases = [(name, entry.value[what]) for name, entry in kinds.items() if what in entry.value]
        if cases:
            otherwise = fields[what].value if what in fields else "'usage'" if what == "line_type" else "null"
            said[what] = Entry(_cases(label, cases, otherwise), shown)
    known = ", ".join(_text(name) for name in kinds)
    return said | {"label": Entry(f"case when {label} not in ({known}) then {label} end", shown)}


def _cases(expression: str, cases: Iterable[tuple[str, Any]], otherwise: str = "null") -> str:
    whens = " ".join(
        f"when {_text(name)} then {_text(value.value if isinstance(value, Entry) else value)}" for name, value in cases
    )
    return f"case {expression} {whens} else {otherwise} end"


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def plain_name(name: str) -> str:
    """The name of a column without what exports write differently: case, underscores, blanks and signs."""
    return re.sub(r"[\W_]+", "", name.lower())


def _names_in(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\$\.(\w+)", text))


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _levels(path: str) -> tuple[str, ...]:
    """`$.data[*].results[*]` -> (data, results); `$` -> ()."""
    return tuple(step for step in path.removeprefix("$").replace("[*]", "").split(".") if step)
