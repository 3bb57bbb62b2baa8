"""From landed invoices and cost exports to lines in one shape: what each kind of file says, judged, with every amount accounted for.

An item becomes a row, or it is skipped, out of scope (skipped too, its amount kept) or rejected. Rows keep texts as they were
written, and amounts as decimals; what a label means, which export counts and what a currency is worth is decided in models.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from orchestration.landing.convert import Converted, DateRows
from orchestration.landing.database import is_of_data, quoted
from orchestration.landing.fields import FIELD, LONGEST_ID
from orchestration.landing.invoice_kinds import AMOUNTS, FIELDS, TEXTS, TIMES, Kind, Kinds, read_kinds
from orchestration.landing.invoice_records import RAW_COLUMNS, Item, NotRecognised, account_of, items_of
from orchestration.landing.raw_zone import schema_of
from orchestration.team.invoices import LINE_TYPES, is_in_scope

SCHEMA = schema_of(RAW_COLUMNS)
OUT_OF_SCOPE, NO_CHARGE, TOTAL = "out_of_scope", "no_charge", "total"
CENT, PLACES, MOST = Decimal("0.01"), Decimal("1e-12"), Decimal("1e12")  # USD: products with a rate fit DECIMAL(38, 24)
LONGEST_TEXT = 4_000
CURRENCY_AROUND = r"^(?:[A-Z]{3}|[€$£¥])\s*|\s*(?:[A-Z]{3}|[€$£¥])$"
TOTALS = re.compile(
    r"(?:grand |sub)?-?totale?s?|(?:gesamt|zwischen|end)?(?:summe|betrag)|gesamt|somme|suma", re.IGNORECASE
)
INSTANTS = (  # how vendors write instants, besides ISO 8601 and seconds since 1970
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S.%f UTC",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y",
)
# Numbers of a table that a program of another country wrote again, by the sign of their decimals, and the sign between thousands.
SIGNS = {",": ".", ".": ","}
NUMBERS = {
    decimal: re.compile(rf"[+-]?(\d+|\d{{1,3}}(\{thousands}\d{{3}})+)?(\{decimal}\d+)?([eE][+-]?\d{{1,3}})?", re.ASCII)
    for decimal, thousands in SIGNS.items()
}
IS_NO_THOUSAND = {
    ",": re.compile(r".*,(\d{1,2}|\d{4,})", re.ASCII),  # 1,5 and 0,0001: 1,234 could be either
    ".": re.compile(r".*\.\d+", re.ASCII),
}
OF_NUMBERS = (*AMOUNTS, "usd_amount", "usd_divisor", "list_price", "quantity", "unit_price")


class Refused(ValueError):  # noqa: N818
    """An item that cannot be taken: its reason code and what was found."""

    def __init__(self, reason_code: str, detail: str):
        super().__init__(f"{reason_code}: {detail}")
        self.reason_code, self.detail = reason_code, detail


@dataclass
class Taken:
    """The rows of a batch by billing month, and what became of the other items."""

    found: Converted = field(default_factory=lambda: Converted({}, {}, []))
    rows: dict[date, list[dict]] = field(default_factory=lambda: defaultdict(list))

    def amount(self, content_hash: str, outcome: str, currency: str | None, amount: Decimal | None) -> None:
        """Counts in the amount of an item: `outcome currency` -> sum."""
        if amount is not None:
            sums = self.found.amounts.setdefault(content_hash, {})
            key = f"{outcome} {(currency or '?').replace(' ', '_')}"
            sums[key] = sums.get(key, Decimal(0)) + amount

    def skip(self, content_hash: str, why: str) -> None:
        """Counts in a skipped item."""
        self.found.skips.setdefault(content_hash, Counter())[why] += 1


def convert_invoices(team: Path) -> Callable[..., Converted]:
    """The conversion of landed invoices, with the kinds and the scope of a team's folder."""

    def convert_lines(
        database: duckdb.DuckDBPyConnection,
        lines: pa.Table,
        name_part: Callable[[date], Path],
        load_id: str,
        _secret: str,
        _give_up: tuple[int, float] = (0, 1),
    ) -> Converted:
        taken = taken_from(database, lines, read_kinds(team))
        for month, rows in sorted(taken.rows.items()):
            taken.found.parts[month] = [name_part(month)]
            _write(database, rows, load_id, taken.found.parts[month][0])
        return taken.found

    return convert_lines


def taken_from(database: duckdb.DuckDBPyConnection, lines: pa.Table, kinds: Kinds) -> Taken:
    """Takes the lines of a batch (content_hash, line_number, file, line) apart and judges each item."""
    taken = Taken()
    by_kind: dict[str, list[tuple[dict, Item]]] = {}
    for line in lines.to_pylist():
        vendor, account = account_of(line["file"]) or ("", "")
        place = {"content_hash": line["content_hash"], "line_number": line["line_number"], "item": 1}
        try:
            items = items_of(line["line"], kinds.of_vendor(vendor), PurePosixPath(line["file"]).name)
        except (ValueError, RecursionError) as problem:
            code = "not_recognised" if isinstance(problem, NotRecognised) else "invalid_json"
            detail = str(problem) if isinstance(problem, NotRecognised) else "it is not JSON"
            taken.found.rejects.append((*place.values(), f"{code}\t{detail}", line["line"]))
            continue
        for number, item in enumerate(items, 1):
            about = place | {"item": number, "vendor": vendor, "account": account}
            by_kind.setdefault(item.kind.place, []).append((about, item))
    _one_grouping_a_table(by_kind.values())
    for found in by_kind.values():
        _judge(database, taken, found, kinds)
    return taken


def _one_grouping_a_table(by_kind: Iterable[list[tuple[dict, Item]]]) -> None:
    """Rows of a table (items of one each) share a grouping: what one of them says, all are grouped by."""
    for found in by_kind:
        of_file: dict[str, list[Item]] = {}
        for about, item in found:
            if item.kind.items == ((),):
                of_file.setdefault(about["content_hash"], []).append(item)
        for items in of_file.values():
            named = {name for item in items for name in item.grouping.split(",")}
            grouping = ",".join(name for name in items[0].kind.grouped_by if name in named)
            for item in items:
                item.grouping = grouping


def _judge(database: duckdb.DuckDBPyConnection, taken: Taken, found: list[tuple[dict, Item]], kinds: Kinds) -> None:
    """Maps the items of one kind, and takes, skips or refuses each."""
    kind = found[0][1].kind
    has_discounts = {
        about["content_hash"]
        for about, item in found
        if str(item.record.get("line_item_line_item_type") or "").endswith("Discount")
    }
    found = [each for each in found if not (each[1].record.get("also") and each[0]["content_hash"] in has_discounts)]
    mapped = _mapped(database, kind, found)
    kinds_of_files = _written_elsewhere(kind, found, mapped)
    for (about, item), fields in zip(found, mapped, strict=True):
        content_hash = about["content_hash"]
        kind = kinds_of_files.get(content_hash, found[0][1].kind)
        amount, currency = _amount_if_any(kind, fields), (fields.get("currency") or "").upper() or None
        try:
            if item.is_empty or fields["skip"]:
                _cover(taken, about, item, fields, is_empty=True)
                taken.skip(content_hash, fields["skip"] or NO_CHARGE)
                taken.amount(content_hash, "skipped", currency, amount)
                continue
            if _is_total(kind, item, fields):
                taken.skip(content_hash, TOTAL)
                taken.amount(content_hash, "skipped", currency, amount)
                continue
            row = _row(kind, about, item, fields)
            if not kind.is_usage and not is_in_scope(kinds.scope, about["vendor"], _services(fields)):
                _cover(taken, about, item, fields, is_empty=False, row=row)
                taken.skip(content_hash, OUT_OF_SCOPE)
                taken.amount(content_hash, OUT_OF_SCOPE, currency, amount)
                continue
        except Refused as refused:
            line = json.dumps(item.record, ensure_ascii=False)
            reason = f"{refused.reason_code}\t{refused.detail}"
            taken.found.rejects.append((content_hash, about["line_number"], about["item"], reason, line))
            taken.amount(content_hash, "rejected", currency, amount)
            continue
        _cover(taken, about, item, fields, is_empty=False, row=row)
        taken.amount(content_hash, "loaded", currency, amount)
        taken.rows[row["billing_month"]].append(row)
        day_rows = taken.found.dates.setdefault((content_hash, row["billing_month"]), DateRows())
        day_rows.include(DateRows(1, row["charge_period_start"], row["charge_period_start"]))


def _written_elsewhere(kind: Kind, found: list[tuple[dict, Item]], mapped: list[dict]) -> dict[str, Kind]:
    """By file: how a table is read of which all numbers have another dialect than its kind, and one of them can have no other."""
    if kind.name == "generic" or () not in kind.items:
        return {}
    of_files: dict[str, list[str]] = {}
    for (about, _), fields in zip(found, mapped, strict=True):
        texts = of_files.setdefault(about["content_hash"], [])
        texts += [fields[name].strip() for name in OF_NUMBERS if fields[name]]
    return {
        content_hash: replace(kind, decimal=decimal, thousands=thousands)
        for content_hash, texts in of_files.items()
        if any("," in text for text in texts)
        for decimal, thousands in SIGNS.items()
        if all(map(NUMBERS[decimal].fullmatch, texts)) and any(map(IS_NO_THOUSAND[decimal].fullmatch, texts))
    }


def _is_total(kind: Kind, item: Item, fields: dict) -> bool:
    """Whether it is a row of a statement that adds up the others: it has no day, and calls itself a total."""
    if kind.name != "generic" or fields["charge_period_start"]:
        return False
    return any(TOTALS.fullmatch(str(value).rstrip(" :")) for value in item.record.values() if value)


def _mapped(
    database: duckdb.DuckDBPyConnection, kind: Kind, found: list[tuple[dict, Item]]
) -> list[dict[str, str | None]]:
    """The texts of the fields of each item, in the order of the items, with why it is skipped as `skip`."""
    lines = pa.table(
        {
            "content_hash": pa.array([about["content_hash"] for about, _ in found], pa.string()),
            "line_number": pa.array(range(len(found)), pa.int64()),
            "item": pa.array([1] * len(found), pa.int64()),
            "file": pa.array([None] * len(found), pa.string()),
            "line": pa.array([json.dumps(item.record, ensure_ascii=False) for _, item in found], pa.string()),
        }
    )
    database.register("source_lines", lines)
    try:
        rows = database.execute(kind.statement).to_arrow_table().to_pylist()
    except duckdb.Error as error:
        if not is_of_data(error):
            raise
        if len(found) == 1:
            return [dict.fromkeys(FIELDS) | {"skip": None, "problem": f"{kind.place} cannot be computed for it"}]
        middle = len(found) // 2
        return _mapped(database, kind, found[:middle]) + _mapped(database, kind, found[middle:])
    finally:
        database.unregister("source_lines")
    rows.sort(key=lambda row: row["line_number"])
    texts = [{name.removeprefix(FIELD): value for name, value in row.items()} for row in rows]
    return [dict.fromkeys(FIELDS) | row for row in texts]


def _row(kind: Kind, about: dict, item: Item, fields: dict) -> dict:
    """A raw row. Raises Refused."""
    if fields.get("problem"):
        raise Refused("bad_value", fields["problem"])
    row = dict.fromkeys(RAW_COLUMNS) | {name: _text(name, fields[name]) for name in TEXTS} | about
    row |= {
        "source_kind": kind.name,
        "grouping": item.grouping,
        "preference": kind.preference,
        "is_usage": kind.is_usage,
        "is_overlapping": _overlaps(kind, item),
        "names_models": bool(row["model"]) or any(name in item.grouping.split(",") for name in kind.model_columns),
        "finality": kind.finality,
        "is_month_only": fields["is_month_only"] == "true",
        "counts": fields["counts"],
    }
    row |= _periods(kind, fields)
    if _is_of_a_dialect(kind):  # texts that models read as numbers are written plainly
        for name in ("quantity", "unit_price"):
            row[name] = format(_number(kind, name, row[name]), "f") if row[name] else None
    if kind.is_usage:
        _check_counts(fields["counts"])
        return row
    if row["line_type"] not in LINE_TYPES:
        raise Refused("bad_value", f"line_type is {row['line_type']}, none of {', '.join(LINE_TYPES)}")
    return row | _money(kind, fields)


def _money(kind: Kind, fields: dict) -> dict:
    currency = (fields["currency"] or "").strip().upper()
    if fields["amount"] is None:
        raise Refused("missing_amount", "it has no amount")
    if not re.fullmatch(r"[A-Z]{3}", currency):
        said = f"its currency is {currency[:20]}: credits and points are no money, and a currency has three letters"
        raise Refused("bad_value", said if currency else "it has no currency")
    money: dict[str, object] = {"currency": currency}
    for name in AMOUNTS:
        money[name] = _amount(kind, name, fields)
    if money["list_amount"] is None and fields["list_price"] and fields["quantity"]:
        price, quantity = (_number(kind, name, fields[name]) for name in ("list_price", "quantity"))
        if (fields["list_currency"] or currency).upper() == currency:
            money["list_amount"] = _bounded("list_amount", price * quantity)
    divisor = _number(kind, "usd_divisor", fields["usd_divisor"]) if fields["usd_divisor"] else None
    if divisor is not None and divisor <= 0:
        raise Refused("bad_value", f"usd_divisor is {divisor}, no rate of exchange")
    if currency == "USD":
        return money
    if divisor is not None:
        money["vendor_fx_rate"] = (1 / divisor).quantize(PLACES, ROUND_HALF_UP)
        for name in AMOUNTS:
            value = money[name]
            money[f"{name}_at_vendor_rate_usd"] = (
                _bounded(name, value / divisor) if isinstance(value, Decimal) else None
            )
    if fields["usd_amount"] is not None:
        money["amount_at_vendor_rate_usd"] = _bounded("usd_amount", _number(kind, "usd_amount", fields["usd_amount"]))
    return money


def _amount_if_any(kind: Kind, fields: dict) -> Decimal | None:
    try:
        return _amount(kind, "amount", fields)
    except Refused:
        return None


def _amount(kind: Kind, name: str, fields: dict) -> Decimal | None:
    if fields[name] is None:
        return None
    value = _number(kind, name, fields[name])
    return _bounded(name, value * CENT if fields["amount_unit"] == "cents" else value)


def _bounded(name: str, value: Decimal) -> Decimal:
    if abs(value) >= MOST:
        raise Refused("bad_value", f"{name} is {value:.3e}, more than any invoice")
    return value.quantize(PLACES, ROUND_HALF_UP)


def _number(kind: Kind, name: str, text: str) -> Decimal:
    """A number as it is written, in the dialect of its kind. Raises Refused."""
    plain = _as_written_here(kind, text) if _is_of_a_dialect(kind) else text.strip()
    try:
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", plain, re.ASCII) or len(plain) > 100:
            raise InvalidOperation
        return Decimal(plain)
    except InvalidOperation:
        raise Refused("bad_value", f"{name} is {text[:40]}, no number") from None


def _is_of_a_dialect(kind: Kind) -> bool:
    return kind.name == "generic" or bool(kind.thousands)


def _as_written_here(kind: Kind, text: str) -> str:
    """A number of a statement as JSON writes it: its currency apart, below 0 by a sign at either end or in parentheses."""
    plain = re.sub(CURRENCY_AROUND, "", text.strip()).replace("\u2212", "-")
    if found := re.fullmatch(r"\((.+)\)|(.+?)\s*-", plain):
        plain = f"-{found[1] or found[2]}"
    grouped = rf"([+-]?)(\d{{1,3}}(?:[\s'\u2019{re.escape(kind.thousands)}]\d{{3}})+)({re.escape(kind.decimal)}\d*)?"
    if found := re.fullmatch(grouped, plain):
        plain = found[1] + re.sub(r"\D", "", found[2]) + (found[3] or "")
    elif kind.thousands and kind.thousands in plain:
        return ""  # 1.5 where a point is between thousands: neither 1.5 nor 15
    return plain.replace(kind.decimal, ".") if kind.decimal != "." else plain


def _check_counts(counts: str | None) -> None:
    """Counts of a usage report: each a whole number, none of them negative. Raises Refused."""
    for name, value in json.loads(counts or "{}").items():
        if value is not None and Decimal(str(value)) < 0:
            raise Refused("parts_exceed_total", f"{name} would be {value}: the parts are more than their total")


def _text(name: str, value: str | None) -> str | None:
    if value is not None and len(value) > (LONGEST_ID if name.endswith("_id") else LONGEST_TEXT):
        raise Refused("bad_value", f"{name} has {len(value)} characters")
    return value


def _periods(kind: Kind, fields: dict) -> dict:
    """The times of a row, and the period of its scope: the day of a bucket, or the billing period. Raises Refused."""
    times = {name: _instant(kind, name, fields[name]) for name in TIMES}
    start, end = times["charge_period_start"], times["charge_period_end"]
    if start is None:
        raise Refused("bad_timestamp", "charge_period_start is missing")
    day = timedelta(days=1)
    if kind.ends_inclusive:
        end = _next_day(kind, end or start)
        times["billing_period_end"] = (
            _next_day(kind, times["billing_period_end"]) if times["billing_period_end"] else None
        )
    elif end is None or end <= start:
        end = start + (day if _is_a_day(fields["charge_period_start"]) else timedelta(0))
    times["charge_period_end"] = end
    month = _billing_month(kind, fields["billing_month"], times["billing_period_start"] or start)
    month_start, month_end = _month_in_zone(kind.zone, month)
    if kind.by_billing_period or times["billing_period_start"]:
        times["billing_period_start"] = times["billing_period_start"] or month_start
        times["billing_period_end"] = times["billing_period_end"] or month_end
        period = times["billing_period_start"], times["billing_period_end"]
    else:
        midnight = datetime(start.year, start.month, start.day)  # noqa: DTZ001 - UTC, as the raw zone keeps it
        period = midnight, midnight + day
        times["billing_period_start"], times["billing_period_end"] = month_start, month_end
    return times | {"period_start": period[0], "period_end": period[1], "billing_month": month}


def _billing_month(kind: Kind, text: str | None, start: datetime) -> date:
    if text:
        found = re.fullmatch(r"(20\d\d)-?(0[1-9]|1[0-2])", text.strip(), re.ASCII)
        if not found:
            raise Refused("bad_value", f"billing_month is {text[:40]}, no month such as 202610")
        return date(int(found[1]), int(found[2]), 1)
    local = start.replace(tzinfo=UTC).astimezone(kind.zone)
    return date(local.year, local.month, 1)


def _month_in_zone(zone: ZoneInfo, month: date) -> tuple[datetime, datetime]:
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    first, last = (datetime(day.year, day.month, 1, tzinfo=zone).astimezone(UTC) for day in (month, after))
    return first.replace(tzinfo=None), last.replace(tzinfo=None)


def _next_day(kind: Kind, instant: datetime) -> datetime:
    """Midnight of the following local day, in UTC."""
    local = instant.replace(tzinfo=UTC).astimezone(kind.zone) + timedelta(
        days=1
    )  # of the wall: a day may have 23 hours
    return local.replace(tzinfo=kind.zone).astimezone(UTC).replace(tzinfo=None)


def _is_a_day(text: str | None) -> bool:
    return bool(text) and ":" not in str(text) and not str(text).isdigit()


def _instant(kind: Kind, name: str, text: str | None) -> datetime | None:
    """UTC without a zone. A day is its local midnight. Raises Refused."""
    if text is None:
        return None
    parsed = _parsed_instant(kind, text.strip())
    if parsed is None:
        days = f", and days are written {kind.date_format}: see {kind.place}" if kind.date_format else ""
        raise Refused("bad_timestamp", f"{name} is {text[:40]}{days}")
    instant = parsed if parsed.tzinfo else parsed.replace(tzinfo=kind.zone if _is_a_day(text) else UTC)
    instant = instant.astimezone(UTC).replace(tzinfo=None)
    if not 2015 <= instant.year <= 2100:
        raise Refused("date_out_of_range", f"{name} is {text[:40]}")
    return instant


def _parsed_instant(kind: Kind, text: str) -> datetime | None:
    if re.fullmatch(r"\d{9,11}(\.\d+)?|\d\.\d+E9", text, re.ASCII | re.IGNORECASE):  # seconds; 1.7908128E9 of BigQuery
        return datetime.fromtimestamp(int(Decimal(text)), UTC)
    if re.fullmatch(r"1\d{12}|1\d{15}", text, re.ASCII):  # milliseconds, microseconds
        return datetime.fromtimestamp(int(text[:10]), UTC)
    for written in filter(None, (kind.date_format, None, *INSTANTS)):
        try:
            return datetime.strptime(text, written)  # noqa: DTZ007 - the zone is that of the kind
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _services(fields: dict) -> list[str]:
    found = json.loads(fields["services"]) if fields["services"] else []
    return [service for service in found if service]


def _cover(taken: Taken, about: dict, item: Item, fields: dict, is_empty: bool, row: dict | None = None) -> None:
    """Notes the scope that an item belongs to: an export replaces it whole, empty days included."""
    kind = item.kind
    if row is None:
        bucket = item.record.get("bucket") or {}
        start = fields.get("charge_period_start") or bucket.get("start_time") or bucket.get("starting_at")
        if not start:
            return
        try:
            row = _periods(kind, dict.fromkeys(FIELDS) | {"charge_period_start": start})
        except Refused:
            return
    account = row.get("billing_account_id") if kind.by_billing_period else None
    if kind.is_appended:  # each of its exports is a scope: the same again replaces it, another adds to the month
        refreshed = str(row.get("refreshed_at") or "")
        account = f"{account or ''} {refreshed.rstrip('0') if '.' in refreshed else refreshed}"
    names_models = row.get("names_models")
    if names_models is None:
        names_models = any(name in item.grouping.split(",") for name in kind.model_columns)
    parts = (
        kind.name,
        item.grouping,
        (account or "").replace("|", "/"),
        row["period_start"].isoformat(sep=" "),
        row["period_end"].isoformat(sep=" "),
        row["billing_month"].isoformat(),
        kind.preference,
        is_empty,
        kind.is_usage,
        _overlaps(kind, item),
        names_models,
        kind.by_billing_period,
        (item.record.get("page") or {}).get("has_more") is True,
    )
    taken.found.scopes.setdefault(about["content_hash"], set()).add("|".join(map(str, parts)))


def _overlaps(kind: Kind, item: Item) -> bool:
    """Whether it is of a group that shares money with others, or of so many that the vendor leaves some out."""
    return kind.is_overlapping and bool(item.grouping)


def _write(database: duckdb.DuckDBPyConnection, rows: list[dict], load_id: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"cast({column} as {kind}) as {column}" for column, kind in RAW_COLUMNS.items())
    database.register("invoice_rows", pa.Table.from_pylist([row | {"load_id": load_id} for row in rows], SCHEMA))
    database.execute(
        f"copy (select {columns} from invoice_rows) to '{quoted(path)}' (format parquet, compression zstd)"  # noqa: S608
    )
    database.unregister("invoice_rows")
