"""Landed invoices against what their files hold: totals that were computed twice, by hand and by a separate reader."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.landing import files_with_missing_rows
from orchestration.settings import PROJECT
from tests.pipeline import WITHOUT_TESTS, Pipeline, pipeline_at

SAMPLES = PROJECT.parent / "shared" / "data" / "invoices"
FILES = sorted(SAMPLES.rglob("*.expected.json"))
BUILD = ("--select", "+path:models/marts/invoices", "+path:models/intermediate/invoices")
NOT_LANDED = {"statement.mapping.yml", "pricing_units.csv", "README.md"}
KNOWN = {"image_output": "output_image"}  # a kind of token, as it is called here
# What a file says about the world around it, in words: other tests hold it.
IN_WORDS = {
    "rule", "rules", "reading", "real", "version", "validator", "continues", "cents_trap", "quantity_is_in",
    "provisional_until", "not_in_cost_report", "list_price_usd_per_million", "usage_times_list_price_usd_by_day",
    "billed_minus_usage_usd_by_day", "exact_days", "model_unknown_usd", "fx_seed", "additive_with_line_item_files",
    "additive_with_activity_export", "usage_rows",
}  # fmt: skip

pytestmark = pytest.mark.skipif(not FILES, reason="needs ../shared/data/invoices")


def landed_as(expected: Path) -> tuple[Path, str]:
    """The sample, and where it lands: vendor and account, its arrival day and its name."""
    file = expected.with_name(expected.name.removesuffix(".expected.json"))
    vendor = "mistral" if file.parent.name == "generic" else file.parent.name
    day = "2026-11-08" if "final" in file.name else "2026-11-05"
    return file, f"invoices/{vendor}/acme/dt={day}/{file.name}"


def land(pipeline: Pipeline, expected: Path, renamed: str = "") -> None:
    """Lands a sample, once more under another name where one is given."""
    file, path = landed_as(expected)
    target = Path(pipeline.settings.landing) / path
    target = target.with_name(renamed + target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Pipeline:
    """Every sample in one account of its vendor, landed one by one."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("invoices") / "data", company=None)
    team = pipeline.settings.team
    (team / "mappings").mkdir(parents=True)
    shutil.copy(SAMPLES / "generic" / "statement.mapping.yml", team / "mappings" / "statement.yml")
    (team / "fx_rates.csv").write_text("currency,month,usd_per_unit,source\nEUR,2026-10,1.08,the agreed rate\n")
    for expected in FILES:
        land(pipeline, expected)
    pipeline.build(*WITHOUT_TESTS, *BUILD)
    return pipeline


@pytest.fixture(scope="module")
def connection(world) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(world.settings.warehouse), read_only=True) as connection:
        connection.execute("set schema = 'intermediate'")
        yield connection


def plain(value: object) -> object:
    """A figure without the zeros at its end; other values as they are."""
    try:
        return format(Decimal(str(value)).normalize(), "f")
    except ArithmeticError:
        return value


def sums(rows: list[dict], key: object, column: str) -> dict[str, str]:
    """By key: the sum of a column. `key` is a column, or a function of a row."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        name = key(row) if callable(key) else row[key]
        if row[column] is not None:
            found["(none)" if name is None else str(name)] += row[column]
    return {name: plain(value) for name, value in found.items()}


def rows_of(connection: duckdb.DuckDBPyConnection, table: str, file: str) -> list[dict]:
    found = connection.execute(f"select * from {table} where landing_file = ?", [file])
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def units(row: dict) -> str:
    return f"{row['model'] or '(none)'}|{row['leaf']}"


def found_in(connection: duckdb.DuckDBPyConnection, file: str) -> dict[str, object]:
    """Everything that an expected.json of money may say, from the tables."""
    lines = rows_of(connection, "int_invoice_lines", file)
    usage = [row for row in lines if row["line_type"] == "usage"]
    loads = connection.execute(
        "select rejects_by_reason, skips_by_reason, amounts from staging.stg_loads where landing_file = ?", [file]
    ).fetchall()
    rejects, skips, amounts = (dict(item for row in loads for item in (row[at] or {}).items()) for at in range(3))
    total = sum((row["billed_usd"] for row in lines), Decimal(0))
    listed = [row for row in lines if row["list_usd"] is not None]
    return {
        "lines": len(lines),
        "vendor": lines[0]["vendor"],
        "source_kind": lines[0]["source_kind"],
        "billed_usd_total": plain(total),
        "billed_usd_by_type": sums(lines, "line_type", "billed_usd"),
        "billed_usd_by_charge_day_utc": sums(lines, lambda row: row["charge_period_start"].date(), "billed_usd"),
        "billed_usd_by_model": sums(lines, "model", "billed_usd"),
        "units_by_model_and_leaf": sums([row for row in usage if row["leaf"]], units, "quantity"),
        "by_cost_type": sums(lines, "service", "billed_usd"),
        "by_leaf": sums(lines, "leaf", "billed_usd"),
        "by_service_tier": sums(lines, "service_tier", "billed_usd"),
        "by_context_window": sums(lines, "context_window", "billed_usd"),
        "smallest_line_usd": plain(min(row["billed_usd"] for row in lines)),
        "null_workspace_lines": sum(row["project_id"] is None for row in lines if row["service"] != "web_search")
        - sum(row["service"] == "code_execution" for row in lines),
        "rejected": sum(rejects.values()),
        "reject_reasons": rejects,
        "grouping": sorted(filter(None, lines[0]["grouping"].split(","))),
        "unknown_leaf_lines": sum(row["leaf"] is None and not row["is_mapped"] for row in lines),
        "billed_usd_by_invoice_month": sums(lines, lambda row: f"{row['billing_month']:%Y%m}", "billed_usd"),
        "out_of_scope": {
            "lines": skips.get("out_of_scope", 0),
            "billed_usd": plain(amounts.get("out_of_scope USD", 0)),
        },
        "account_level_lines": sum(row["line_type"] in ("tax", "rounding") for row in lines),
        "is_provisional": any(row["is_provisional"] for row in lines),
        "invoice_id": lines[0]["invoice_id"],
        "prior_period_lines": sum(
            row["charge_class"] == "Correction" and row["charge_period_start"] < row["billing_period_start"]
            for row in lines
        ),
        "billed_eur_total": plain(sum(row["billed_amount"] for row in lines)),
        "list_usd_total": plain(sum(row["list_usd"] for row in listed)),
        "list_cost_total": plain(sum(row["list_usd"] for row in listed)),
        "discount_usd": plain(total - sum(row["list_usd"] for row in listed)),
        "effective_cost_total": plain(sum(row["effective_usd"] or 0 for row in lines)),
        "contracted_cost_total": plain(sum(row["contracted_usd"] or 0 for row in lines)),
        "list_usd_of_discounted_line": plain(
            sum(
                row["list_usd"]
                for row in listed
                if row["line_type"] == "usage" and row["list_usd"] != row["billed_usd"]
            )
        ),
        "charge_period_utc": [
            f"{lines[0][name]:%Y-%m-%dT%H:%M:%SZ}" for name in ("charge_period_start", "charge_period_end")
        ],
        "request_level": all(row["request_id"] for row in lines),
        "cancelled_and_billed": sum("cancelled" in (row["description"] or "") for row in lines),
        "free_lines": sum(row["billed_usd"] == 0 and "free" in (row["service_tier"] or "") for row in lines),
        "counted_usd": plain(sum(row["billed_usd"] for row in lines if row["is_counted"])),
    }


MONEY = [file for file in FILES if "usage_" not in file.name or "multi_model" in file.name]


@pytest.mark.parametrize("expected", MONEY, ids=lambda path: path.name.removesuffix(".expected.json"))
def test_a_file_gives_what_it_holds(connection, expected):
    said = json.loads(expected.read_text())
    found = found_in(connection, landed_as(expected)[1])
    told = {"vendor": "mistral"} if "generic" in str(expected) else {}
    for key, value in said.items():
        if key in IN_WORDS or key not in found:
            assert key in IN_WORDS | ELSEWHERE, f"nothing compares {key}"
            continue
        if isinstance(value, dict):
            value = {
                "|".join(KNOWN.get(part, part) for part in name.split("|")): plain(each) for name, each in value.items()
            }
            assert {name: plain(each) for name, each in found[key].items()} == value, key
        elif isinstance(value, list):
            assert (sorted(found[key]) if key == "grouping" else found[key]) == (
                sorted(value) if key == "grouping" else value
            ), key
        else:
            assert plain(found[key]) == plain(told.get(key, value)), key


@pytest.mark.parametrize("expected", [f for f in FILES if f not in MONEY], ids=lambda path: path.name.split(".")[0])
def test_a_usage_report_gives_what_it_counts(connection, expected):
    said = json.loads(expected.read_text())
    file = landed_as(expected)[1]
    lines = rows_of(connection, "int_provider_usage_lines", file)
    fine = [row for row in lines if row["leaf"] not in ("requests", "web_searches") and row["quantity"]]
    assert {row["source_kind"] for row in lines} == {said["source_kind"]}
    assert len({(row["line_number"], row["item"]) for row in lines}) == said["usage_rows"] - ("anthropic" in file)
    if "units_by_model_and_leaf" in said:
        found = sums(
            fine, lambda row: "|".join(filter(None, (row["model"], row["leaf"], row["processing"]))), "quantity"
        )
        assert found == {name: plain(value) for name, value in said["units_by_model_and_leaf"].items() if value != "0"}
        requests = sum(row["quantity"] for row in lines if row["leaf"] == "requests")
        assert plain(requests) == plain(said["requests"])
        if "input_tokens_inclusive" in said:
            inputs = [row for row in fine if "output" not in row["leaf"]]
            assert sum(row["quantity"] for row in inputs) == said["input_tokens_inclusive"]
    else:
        names = ("model", "leaf", "service_tier", "context_window")
        found = sums(fine, lambda row: "|".join(row[name] for name in names), "quantity")
        assert found == {name: plain(value) for name, value in said["units_by_model_leaf_tier_window"].items()}
        assert sum(row["quantity"] for row in lines if row["leaf"] == "web_searches") == said["web_search_requests"]
    days = {f"{row['period_start']:%Y-%m-%d}" for row in lines}
    assert not days & set(said.get("empty_days", ()))


def test_no_item_is_lost_and_every_amount_has_an_outcome(world, connection):
    assert files_with_missing_rows(world.settings, "invoices") == []
    for expected in FILES:
        file, path = landed_as(expected)
        loads = connection.execute(
            "select sum(rows_in), sum(rows_loaded), sum(rows_rejected), sum(rows_skipped) from staging.stg_loads where landing_file = ?",
            [path],
        ).fetchone()
        assert loads[0] == loads[1] + loads[2] + loads[3], path
        assert loads[1] == len(rows_of(connection, "int_invoice_lines", path)) or "usage_" in file.name, path
    spent = connection.execute(
        """
        select sum(amount.value) filter (amount.key like 'loaded%'), sum(amount.value) filter (amount.key like 'out%')
        from (select unnest(map_entries(amounts)) as amount from staging.stg_loads where source = 'invoices')
        """
    ).fetchone()
    lines = connection.execute("select sum(billed_amount) from int_invoice_lines").fetchone()
    assert spent == (lines[0], Decimal(42) * 2 + Decimal("4.08") + 2 * Decimal("0.96"))


def test_one_way_of_saying_the_same_money_counts(connection):
    """Groupings, an export and its API, CUR provisional and final: each money scope once."""
    counted = sums(
        [
            dict(zip(("scope", "billed_usd"), row, strict=True))
            for row in connection.execute(
                """
                select vendor || ' ' || cast(billing_month as string) || ' ' || source_kind, billed_usd
                from int_invoice_lines where is_counted
                """
            ).fetchall()
        ],
        "scope",
        "billed_usd",
    )
    assert counted == {
        # three days by line item; the same by key are an alternative
        "openai 2026-10-01 costs_api": "58.165703",
        "openai 2025-10-01 costs_dashboard": "2.98595375",
        # both pages; the analytics of the first day say the same money
        "anthropic 2026-10-01 cost_report": "52.7110952",
        # the final one in place of the provisional one, whole
        "aws 2026-10-01 cur2": "654.0021201",
        "gcp 2026-09-01 billing_export_detailed": "0.1",
        "gcp 2026-10-01 billing_export_detailed": "41.120004",
        "azure 2026-10-01 cost_details_ea": "90.14625",
        "openrouter 2026-10-01 activity_export": "0.088325",
        "mistral 2026-10-01 generic": "4591.9548",
        "focus 2026-10-01 focus": "54.2335629",
        # two files each that say the same account and period: the greater content hash counts
        "focus 2025-05-01 focus": counted["focus 2025-05-01 focus"],
        "focus 2025-01-01 focus": counted["focus 2025-01-01 focus"],
        "focus 2025-06-01 focus": counted["focus 2025-06-01 focus"],
    }
    assert counted["focus 2025-05-01 focus"] in ("2037.36", "104.5")
    why = connection.execute(
        "select source_kind, grouping, not_counted_because, count(*) from int_invoice_lines where not is_counted and "
        "vendor <> 'focus' group by all order by all"
    ).fetchall()
    assert why == [
        ("activity_api", "", "alternative_export", 4),
        ("analytics_cost_report", "", "alternative_export", 1),
        ("analytics_cost_report", "rbac_group_id", "overlapping_groups", 3),
        ("cost_details_ea", "", "superseded", 8),
        ("costs_api", "api_key_id", "alternative_grouping", 4),
        ("cur2", "", "superseded", 15),
    ]


# Keys that other tests of this file hold.
ELSEWHERE = {
    "both_pages_billed_usd_total", "empty_days", "period", "replaces", "timing", "counted_when_both_landed_usd",
    "data_refreshed_at", "true_total_usd", "overlap_usd", "byok_usage_inference_usd",
}  # fmt: skip
