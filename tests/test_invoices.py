"""Landed invoices against what their files hold: totals that were computed twice, by hand and by a separate reader."""

import csv
import gzip
import io
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.defs.checks import expectations
from orchestration.invoices.announcements import announce_findings
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows
from orchestration.notifications import deliver, read_outbox
from orchestration.quality.suites import validate
from orchestration.settings import PROJECT
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at
from tests.receiver import listening

SAMPLES = PROJECT.parent / "shared" / "data" / "invoices"
FILES = sorted(SAMPLES.rglob("*.expected.json"))
BUILD = ("--select", "+path:models/marts/invoices", "+path:models/intermediate/invoices")
REAL_USAGE = SAMPLES / "openai" / "usage_completions_dashboard_real_2025-10.csv"
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


def calls_of(report: Path) -> list[dict]:
    """An event of ours for each row of OpenAI's usage report, priced by the catalogue like any other."""
    with report.open(newline="") as file:
        return [
            event(
                f"usage-{number}", at=row["start_time_iso"], provider="openai", model=row["model"],
                inputTokens=int(float(row["input_tokens"])), cacheReadTokens=int(float(row["input_cached_tokens"])),
                outputTokens=int(float(row["output_tokens"])),
            )
            for number, row in enumerate(csv.DictReader(file)) if row["model"]
        ]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Pipeline:
    """Every sample in one account of its vendor, landed one by one."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("invoices") / "data", company=None)
    team = pipeline.settings.team
    (team / "mappings").mkdir(parents=True)
    shutil.copy(SAMPLES / "generic" / "statement.mapping.yml", team / "mappings" / "statement.yml")
    (team / "fx_rates.csv").write_text("currency,month,usd_per_unit,source\nEUR,2026-10,1.08,the agreed rate\n")
    (team / "vendor_accounts.csv").write_text(
        "vendor,account,providers,reason\nopenai,acme,openai,one key for all of it\n"
    )
    for expected in FILES:
        land(pipeline, expected)
    pipeline.land("usage.jsonl", calls_of(REAL_USAGE), day="2025-10-13")
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


def test_two_exports_of_openai_as_bill_and_as_calls(world):
    """Real numbers: three days agree to the last digit, one is billed and not captured, two have no quantity to explain them."""
    days = world.inside(
        "select cast(charge_date as varchar), ours_usd, billed_usd, difference_usd, uncaptured_usd, unexplained_usd "
        "from marts.reconciliation_daily where vendor = 'openai' and billing_month = '2025-10-01' order by 1"
    )
    assert days == [
        (day, *map(Decimal, amounts))
        for day, *amounts in (
            ("2025-10-05", "0.24726", "0.895874", "0.648614", "0", "0.648614"),
            ("2025-10-06", "0.81584275", "0.56177125", "-0.2540715", "0", "-0.2540715"),
            ("2025-10-07", "0.569788", "0.569788", "0", "0", "0"),
            ("2025-10-08", "0", "0.5455665", "0.5455665", "0.5455665", "0"),
            ("2025-10-10", "0.3409", "0.3409", "0", "0", "0"),
            ("2025-10-11", "0.072054", "0.072054", "0", "0", "0"),
        )
    ]
    month = world.inside(
        "select difference_usd, uncaptured_usd, unexplained_usd, billed_usd, is_billed from marts.reconciliation_monthly "
        "where vendor = 'openai' and billing_month = '2025-10-01'"
    )
    said = ("0.940109", "0.5455665", "0.3945425", "2.98595375")
    assert month == [(*map(Decimal, said), True)]


# --- The same again in another order, and next to it what goes wrong ---


def land_text(pipeline: Pipeline, path: str, content: str | bytes) -> None:
    target = Path(pipeline.settings.landing) / "invoices" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)


def costs_page(days: dict[str, list[dict]]) -> str:
    """A page of OpenAI costs: results by day."""
    buckets = []
    for day, results in days.items():
        start = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
        buckets.append({"start_time": start, "end_time": start + 86_400, "results": results})
    return json.dumps({"object": "page", "data": buckets, "has_more": False, "next_page": None})


def cost(value: str, **columns: object) -> dict:
    empty = dict.fromkeys(("line_item", "project_id", "api_key_id", "quantity", "quantity_unit"))
    return {"amount": {"value": float(value), "currency": "usd"}} | empty | columns


def rows_as_text(rows: list[dict], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


GCP_EUR = {
    "billing_account_id": "01-EUR",
    "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
    "sku": {"id": "1", "description": "Gemini 3 Flash Text Output - Predictions"},
    "usage_start_time": "2026-10-05 07:00:00 UTC",
    "usage_end_time": "2026-10-05 08:00:00 UTC",
    "cost": 10.0,
    "currency": "EUR",
    "currency_conversion_rate": 0.93,
    "usage": {"amount": 100, "unit": "count"},
    "credits": [{"name": "p", "full_name": "p", "type": "PROMOTION", "amount": -0.5}],
    "invoice": {"month": "202610"},
    "cost_type": "regular",
    "export_time": "2026-11-02 09:15:00 UTC",
}
GCP_USD = GCP_EUR | {
    "currency": "USD",
    "currency_conversion_rate": 1,
    "credits": [],
    "export_time": "2026-11-02 09:15:00.120 UTC",
}
MCA = {
    "invoiceId": "G001",
    "previousInvoiceId": "",
    "billingAccountId": "mca-1",
    "SubscriptionId": "sub-1",
    "date": "10/03/2026",
    "billingPeriodStartDate": "10/01/2026",
    "billingPeriodEndDate": "10/31/2026",
    "meterCategory": "Foundry Models",
    "meterSubCategory": "Azure OpenAI",
    "meterName": "gpt 4o 1120 Outp glbl Tokens",
    "unitOfMeasure": "1K",
    "quantity": "1000",
    "effectivePrice": "0.01",
    "payGPrice": "0.01",
    "costInBillingCurrency": "9.1",
    "costInUsd": "10",
    "billingCurrency": "EUR",
    "pricingCurrency": "USD",
    "exchangeRatePricingToBilling": "0.91",
    "chargeType": "Usage",
    "ProductName": "Azure OpenAI",
}
CUR = {
    "bill_billing_period_start_date": "2026-10-01T00:00:00Z",
    "bill_billing_period_end_date": "2026-11-01T00:00:00Z",
    "bill_invoice_id": "",
    "bill_payer_account_id": "999",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-10-07T10:00:00Z",
    "line_item_usage_end_date": "2026-10-07T11:00:00Z",
    "line_item_product_code": "AmazonBedrock",
    "line_item_currency_code": "USD",
    "pricing_unit": "1K tokens",
    "product": "{}",
}


def cur_rows() -> list[dict]:
    """Styles of Bedrock that the samples lack, and a discount that is in a column instead of a line."""
    lines = [
        ("USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard", "2", "0.5", ""),
        ("EUC1-NovaPro-output-tokens-batch", "3", "0.25", ""),
        ("USE1-NovaLite-input-tokens-priority", "4", "0.75", "-0.25"),
    ]
    return [
        CUR
        | {
            "line_item_usage_type": name,
            "line_item_usage_amount": amount,
            "line_item_unblended_cost": price,
            "discount_total_discount": discount,
        }
        for name, amount, price, discount in lines
    ]


def land_odd_ones(pipeline: Pipeline) -> None:
    """Each in an account of its own."""
    named = {"line_item": "gpt-5, input", "quantity": 1000, "quantity_unit": "tokens"}
    land_text(pipeline, "openai/two/dt=2026-11-05/mixed.jsonl", "\n".join([
        costs_page({"2026-10-01": [cost("1.5", **named)]}),
        costs_page({"2026-10-01": [cost("1.0", api_key_id="a"), cost("0.5", api_key_id="b")]}),
    ]))  # fmt: skip
    land_text(pipeline, "openai/restated/dt=2026-11-05/costs.json", costs_page(
        {"2026-10-01": [cost("1", **named)], "2026-10-02": [cost("2", **named)], "2026-10-03": [cost("3", **named)]}
    ))  # fmt: skip
    # two days are stated again: one of them is empty now, and the third stays
    land_text(pipeline, "openai/restated/dt=2026-11-06/costs.json.gz", gzip.compress(costs_page(
        {"2026-10-01": [], "2026-10-02": [cost("2.25", **named)]}
    ).encode()))  # fmt: skip
    land_text(
        pipeline, "openai/early/dt=2026-09-05/costs_2026-08.json", costs_page({"2026-10-01": [cost("1", **named)]})
    )
    land_text(pipeline, "gcp/euro/dt=2026-11-05/export.jsonl", json.dumps(GCP_EUR))
    land_text(pipeline, "azure/mca/dt=2026-11-05/details.csv", rows_as_text([MCA, MCA | {
        "invoiceId": "G002", "previousInvoiceId": "G000", "chargeType": "Refund", "costInBillingCurrency": "-0.91",
        "costInUsd": "-1", "date": "09/20/2026",
    }]))  # fmt: skip
    for part, rows in enumerate((cur_rows()[:2], cur_rows()[2:]), 1):
        table = pa.Table.from_pylist([
            row | {"line_item_unblended_cost": Decimal(row["line_item_unblended_cost"])} for row in rows
        ])  # fmt: skip
        target = Path(pipeline.settings.landing) / f"invoices/aws/parts/dt=2026-11-05/cur-{part:05}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target)
    land_text(pipeline, "openai/yen/dt=2026-11-05/costs.json", costs_page(
        {"2026-10-01": [cost("1", **named) | {"amount": {"value": 150, "currency": "jpy"}}]}
    ))  # fmt: skip
    land_text(pipeline, "openai/points/dt=2026-11-05/costs.json", costs_page(
        {"2026-10-01": [cost("1", **named) | {"amount": {"value": 150, "currency": "credits"}}]}
    ))  # fmt: skip
    # a connector that made dollars of Anthropic's cents, and the usage report that gives it away
    day = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}
    same = {"model": "claude-sonnet-4-5", "service_tier": "standard", "workspace_id": "w"}
    land_text(pipeline, "anthropic/cents/dt=2026-11-05/cost.json", json.dumps({"data": [day | {"results": [same | {
        "amount": "15.00", "currency": "USD", "cost_type": "tokens", "description": "x", "token_type": "output_tokens",
    }]}]}))  # fmt: skip
    land_text(pipeline, "anthropic/cents/dt=2026-11-05/usage.json", json.dumps({"data": [day | {"results": [same | {
        "uncached_input_tokens": 0, "output_tokens": 1_000_000,
    }]}]}))  # fmt: skip
    # exports of Google Cloud add to their month: the first one again, and a row of the next
    land_text(pipeline, "gcp/appended/dt=2026-11-05/export.jsonl", json.dumps(GCP_USD))
    land_text(pipeline, "gcp/appended/dt=2026-11-06/export.jsonl", "\n".join(map(json.dumps, (GCP_USD, GCP_USD | {
        "cost": 5.0, "export_time": "2026-11-03 09:15:00 UTC",
    }))))  # fmt: skip
    land_text(pipeline, "gcp/appended/dt=2026-11-07/export.jsonl", json.dumps(GCP_USD | {
        "cost": 2.0, "export_time": "2026-11-04 09:15:00 UTC",
    }))  # fmt: skip
    # two accounts in one folder, on different days: neither is another way of saying the other's money
    for day, payer in ((5, "1"), (6, "2")):
        row = CUR | {"bill_payer_account_id": payer, "line_item_unblended_cost": payer, "line_item_usage_amount": "1",
                     "line_item_usage_type": "USE1-NovaPro-input-tokens"}  # fmt: skip
        land_text(pipeline, f"aws/payers/dt=2026-11-0{day}/cur.csv", rows_as_text([row]))
    for page, (day, has_more) in enumerate((("2026-10-01", "true"), ("2026-10-02", "true")), 1):
        land_text(pipeline, f"openai/pages/dt=2026-11-05/costs_p{page}.json", costs_page(
            {day: [cost("1", **named)]}
        ).replace('"has_more": false', f'"has_more": {has_more}'))  # fmt: skip
    land_text(pipeline, "openai/dt=2026-11-05/costs.json", costs_page({}))
    land_text(pipeline, "openai/odd/dt=2026-11-05/other.csv", "a,b\n1,2\n")


@pytest.fixture(scope="module")
def again(world, tmp_path_factory) -> Pipeline:
    """The samples backwards, one load each, then all of them under other names; and what is odd, in accounts of its own."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("again") / "data", company=None)
    shutil.copytree(world.settings.team, pipeline.settings.team, dirs_exist_ok=True)
    for expected in reversed(FILES):
        land(pipeline, expected)
        load_new_files(pipeline.settings, "invoices")
    for expected in FILES:
        land(pipeline, expected, renamed="once_more_")
    land_odd_ones(pipeline)
    pipeline.land("calls.jsonl", [event("r-1", at="2026-10-01T10:00:00Z")])
    pipeline.build(*WITHOUT_TESTS, *BUILD, *COSTS[1:])
    return pipeline


def test_order_and_repetition_change_no_line(world, again):
    # the name that sorts first is that of a file, and which models are ours is about calls
    sql = "select * exclude (load_id, landing_file, our_model) from intermediate.{} where account = 'acme' order by all"
    for table in ("int_invoice_lines", "int_provider_usage_lines", "int_invoice_scopes"):
        columns = (
            sql if "scopes" not in table else sql.replace("load_id, landing_file, our_model", "landing_file, delivery")
        )
        assert world.inside(columns.format(table)) == again.inside(columns.format(table)), table


def test_a_restatement_replaces_its_days_whole(again):
    lines = again.inside(
        "select cast(period_start as date), arrival_date, billed_usd, is_counted, not_counted_because from "
        "intermediate.int_invoice_lines where account = 'restated' order by 1, 2"
    )
    first, second = date(2026, 11, 5), date(2026, 11, 6)
    assert lines == [
        (date(2026, 10, 1), first, 1, False, "superseded"),  # by a day without cost
        (date(2026, 10, 2), first, 2, False, "superseded"),
        (date(2026, 10, 2), second, Decimal("2.25"), True, None),
        (date(2026, 10, 3), first, 3, True, None),
    ]


def test_an_export_of_google_adds_to_its_month_and_the_same_one_again_does_not(again):
    lines = again.inside(
        "select arrival_date, billed_usd, is_counted, not_counted_because from intermediate.int_invoice_lines "
        "where account = 'appended' order by 1, 2"
    )
    fifth, sixth, seventh = (date(2026, 11, day) for day in (5, 6, 7))
    assert lines == [
        (fifth, 10, False, "superseded"),
        (sixth, 5, True, None),
        (sixth, 10, True, None),
        (seventh, 2, True, None),
    ]


def test_two_accounts_of_a_vendor_in_one_folder_both_count(again):
    lines = again.inside(
        "select billing_account_id, billed_usd, is_counted from intermediate.int_invoice_lines "
        "where account = 'payers' order by 1"
    )
    assert lines == [("1", 1, True), ("2", 2, True)]


def test_two_groupings_in_one_file_are_not_added(again):
    rows = again.inside(
        "select grouping, sum(billed_usd), bool_and(is_counted) from intermediate.int_invoice_lines where account = 'two' group by 1"
    )
    assert sorted(rows) == [("api_key_id", Decimal("1.5"), False), ("line_item", Decimal("1.5"), True)]


def test_a_vendor_states_its_own_rate(again):
    rows = again.inside(
        "select account, line_type, currency, billed_amount, billed_usd, fx_source, billed_usd_at_seed_rate, charge_class, "
        "quantity from intermediate.int_invoice_lines where account in ('euro', 'mca') order by account, billed_amount desc"
    )
    assert rows == [
        # 10 / 0.93, half-up at the twelfth place; at the seed's rate 10 x 1.08
        ("euro", "usage", "EUR", 10, Decimal("10.752688172043"), "vendor", Decimal("10.8"), None, 100),
        ("euro", "credit", "EUR", Decimal("-0.5"), Decimal("-0.537634408602"), "vendor", Decimal("-0.54"), None, None),
        ("mca", "usage", "EUR", Decimal("9.1"), 10, "vendor", Decimal("9.828"), None, 1_000_000),
        ("mca", "adjustment", "EUR", Decimal("-0.91"), -1, "vendor", Decimal("-0.9828"), "Correction", None),
    ]


def test_parts_of_a_delivery_are_one_export_and_a_discount_in_a_column_is_a_line(again):
    rows = again.inside(
        "select model, leaf, processing, service_tier, route, line_type, billed_usd, quantity, is_counted "
        "from intermediate.int_invoice_lines where account = 'parts' order by billed_usd desc"
    )
    assert rows == [
        ("NovaLite", "input", None, "priority", None, "usage", Decimal("0.75"), 4000, True),
        (
            "anthropic.claude-opus-4-8",
            "cache_write_5m",
            None,
            "standard",
            "global",
            "usage",
            Decimal("0.5"),
            2000,
            True,
        ),
        ("NovaPro", "output", "batch", "batch", None, "usage", Decimal("0.25"), 3000, True),
        ("NovaLite", "input", None, "priority", None, "discount", Decimal("-0.25"), None, True),
    ]


def test_what_cannot_be_taken_is_a_sentence(again):
    rows = again.inside("select landing_file, message from marts.rejected_events where landing_file like 'invoices/%'")
    said = {file: message for file, message in rows if "acme" not in file}
    assert sorted(said) == [
        "invoices/openai/dt=2026-11-05/costs.json",
        "invoices/openai/odd/dt=2026-11-05/other.csv",
        "invoices/openai/points/dt=2026-11-05/costs.json",
    ]
    assert "invoices are landed as invoices/<vendor>/<account>/" in said["invoices/openai/dt=2026-11-05/costs.json"]
    assert (
        "it has a, b, which is none of the exports that are read here"
        in said["invoices/openai/odd/dt=2026-11-05/other.csv"]
    )
    assert "CREDITS: credits and points are no money" in said["invoices/openai/points/dt=2026-11-05/costs.json"]


def test_what_looks_wrong_ends_in_a_sentence_and_a_failed_check(again):
    outcome = validate(again.settings, "invoices")
    assert outcome.severity == "error"
    said = " ".join(outcome.sentences)
    for words in (
        "landing/invoices/openai/yen/dt=2026-11-05/costs.json has 1 lines in JPY for 2026-10, which has no rate",
        "landing/invoices/openai/early/dt=2026-09-05/costs_2026-08.json arrived on 2026-09-05, before the 2026-10 that it bills",
        "landing/invoices/openai/two/dt=2026-11-05/mixed.jsonl has 2026-10-01 by api_key_id and by line_item",
        "landing/invoices/anthropic/cents/dt=2026-11-05/cost.json bills 0.15 USD where its quantities at the price book cost 22.5",
        "gpt-6-astra, frobnicated_tokens",
        "landing/invoices/openai/pages/dt=2026-11-05/costs_p2.json ends on 2026-10-02 and says that another page follows",
    ):
        assert words in said
    assert "costs_p1.json ends on" not in said  # the second page begins there


def test_each_finding_is_a_check_of_its_own(again):
    """A cents-for-dollars mistake, a missing rate, a file of the wrong month and two groupings: each a red check with its sentence."""
    found = {result.check_name: result for result in expectations(again.settings)}
    for check, words in {
        "amounts_are_in_dollars": "cost.json bills 0.15 USD",
        "amounts_have_an_exchange_rate": "1 lines in JPY for 2026-10",
        "exports_are_of_their_month": "before the 2026-10 that it bills",
        "days_have_one_grouping": "has 2026-10-01 by api_key_id and by line_item",
    }.items():
        assert not found[check].passed
        assert found[check].severity == dg.AssetCheckSeverity.ERROR
        assert words in (found[check].description or "")
    for check in ("no_page_is_missing", "labels_are_known", "no_day_of_a_vendor_is_missing"):
        assert not found[check].passed
        assert found[check].severity == dg.AssetCheckSeverity.WARN
    assert found["nothing_is_billed_twice"].passed


def test_a_finding_is_said_once_and_settled_once(again, tmp_path, monkeypatch):
    """To finance, in one message for each kind and account. Who heard of it hears that it is settled."""
    settings = replace(again.settings, data=tmp_path)
    shutil.copyfile(again.settings.warehouse, settings.warehouse)
    with listening() as receiver:
        monkeypatch.setenv("TOKENTRAIL_CHANNEL_FINANCE", receiver.address("finance"))

        def run(hours: int) -> Counter:
            later = replace(settings, as_of=settings.as_of + timedelta(hours=hours))
            counts = announce_findings(later)
            deliver(later)
            return counts

        assert run(0)["found"] > 5
        before = receiver.titles("finance")
        assert "openai yen: amounts without an exchange rate" in before
        assert len(before) == len(set(before))
        assert max(len(row["body"]) for row in read_outbox(settings)) > 300, "a list of findings is not cut"
        assert run(1)["found"] == run(1)["settled"] == 0
        assert receiver.titles("finance") == before
        with duckdb.connect(str(settings.warehouse)) as warehouse:
            warehouse.execute("update marts.invoice_exports set lines_without_fx_rate = 0 where account = 'yen'")
        assert run(2)["settled"] == 1
        assert receiver.titles("finance") == [*before, "openai yen: settled: amounts without an exchange rate"]
        assert run(3)["settled"] == 0
        assert len(receiver.titles("finance")) == len(before) + 1


def test_amounts_in_cents_are_divided(again):
    """1,500 cents of a million output tokens of claude-sonnet-4-5 (15 USD) would be right; without / 100 they are 1,500 USD."""
    assert again.inside("select billed_usd from intermediate.int_invoice_lines where account = 'cents'") == [
        (Decimal("0.15"),)
    ]


# Keys that other tests of this file hold.
ELSEWHERE = {
    "both_pages_billed_usd_total", "empty_days", "period", "replaces", "timing", "counted_when_both_landed_usd",
    "data_refreshed_at", "true_total_usd", "overlap_usd", "byok_usage_inference_usd",
}  # fmt: skip
