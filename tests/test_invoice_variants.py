"""Shapes of vendors' exports that the samples do not have, through the loader alone: what each item becomes, and every amount."""

import csv
import gzip
import io
import json
import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.load import load_new_files
from orchestration.settings import PROJECT
from tests.pipeline import pipeline_at

BUCKET = {"start_time": 1790812800, "end_time": 1790899200}
DAY = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}


def rows(*found: dict, delimiter: str = ",") -> str:
    """A CSV of rows that may have different columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in found for name in row)), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def jsonl(*found: dict) -> str:
    return "\n".join(map(json.dumps, found))


def parquet(row: dict) -> bytes:
    out = io.BytesIO()
    pq.write_table(
        pa.table({name: value if isinstance(value, pa.Array) else [value] for name, value in row.items()}), out
    )
    return out.getvalue()


at = datetime.fromisoformat


def a_map(**values: object) -> pa.Array:
    kind = pa.float64() if all(isinstance(value, float) for value in values.values()) else pa.string()
    return pa.array([list(values.items())], pa.map_(pa.string(), kind))


def page(*results: dict, bucket: dict = BUCKET, **around: object) -> str:
    return json.dumps({"object": "page", "data": [bucket | {"results": list(results)}], "has_more": False} | around)


def cost(value: object, **columns: object) -> dict:
    return {
        "object": "organization.costs.result",
        "amount": {"value": value, "currency": "usd"},
        "line_item": None,
    } | columns


def claude(amount: str, **columns: object) -> dict:
    names = ("cost_type", "description", "model", "token_type", "service_tier", "context_window", "workspace_id")
    return {"amount": amount, "currency": "USD"} | dict.fromkeys(names) | columns


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
    "line_item_usage_type": "USE1-NovaPro-input-tokens",
    "line_item_usage_amount": "1",
    "line_item_unblended_cost": "10",
    "pricing_unit": "1K tokens",
}
FOCUS = {
    "BilledCost": "1.5",
    "BillingAccountId": "999",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargePeriodStart": "2026-10-07T00:00:00Z",
    "ChargePeriodEnd": "2026-10-08T00:00:00Z",
    "ConsumedQuantity": "1000",
    "ConsumedUnit": "Tokens",
    "EffectiveCost": "1.5",
    "ServiceName": "Amazon Bedrock",
    "ServiceCategory": "AI and Machine Learning",
}
GCP = {
    "billing_account_id": "01",
    "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
    "sku": {"id": "1", "description": "Gemini 3 Flash Text Output - Predictions"},
    "usage_start_time": "2026-10-05 07:00:00 UTC",
    "usage_end_time": "2026-10-05 08:00:00 UTC",
    "cost": 10.0,
    "currency": "USD",
    "currency_conversion_rate": 1,
    "usage": {"amount": 100, "unit": "count"},
    "credits": [],
    "invoice": {"month": "202610"},
    "cost_type": "regular",
    "export_time": "2026-11-02 09:15:00 UTC",
}
EA = {
    "SubscriptionId": "s",
    "Date": "10/01/2026",
    "MeterCategory": "Foundry Models",
    "MeterName": "gpt 4o 1120 Inp glbl Tokens",
    "UnitOfMeasure": "1K",
    "Quantity": "2",
    "EffectivePrice": "1.5",
    "CostInBillingCurrency": "3",
    "ChargeType": "Usage",
    "BillingAccountId": "1",
    "BillingCurrencyCode": "USD",
    "BillingPeriodStartDate": "10/01/2026",
    "BillingPeriodEndDate": "10/31/2026",
}
MCA = {name[0].lower() + name[1:]: value for name, value in EA.items() if name != "BillingCurrencyCode"} | {
    "invoiceId": "G1",
    "previousInvoiceId": "",
    "billingCurrency": "USD",
    "pricingCurrency": "USD",
    "exchangeRatePricingToBilling": "1",
}
ROUTER = {
    "generation_id": "g1",
    "created_at": "2026-10-01 00:00:01.120",
    "cost_total": "0.0165",
    "cost_cache": "-0.0081",
    "byok_usage_inference": "0.5",
    "model_permaslug": "a/b",
    "variant": "free",
    "cancelled": "true",
}
STATEMENT = """vendor: acme
decimal: ","
thousands: "."
date_format: "%d.%m.%Y"
zone: Europe/Paris
period_end: inclusive
columns: {charge_period_start: Von, charge_period_end: Bis, kind: Art, quantity: Menge, amount: Betrag, currency: Waehrung}
kinds:
  Eingabe: {line_type: usage, leaf: input}
"""
IN_ONE_CURRENCY = """vendor: globex
currency: USD
columns: {charge_period_start: day, description: what, amount: cost}
"""
LINE = {"Von": "01.10.2026", "Bis": "31.10.2026", "Art": "Eingabe", "Menge": "1", "Betrag": "1,5", "Waehrung": "EUR"}
DASHBOARD = {"start_time": "1790812800", "end_time": "1790899200", "amount_value": "1.5", "amount_currency": "usd"}
TAX = {"line_item_product_code": "", "line_item_usage_type": "", "pricing_unit": ""}
BY_AWS = {
    "Tax": "tax", "Credit": "credit", "Fee": "fee", "RIFee": "fee", "Refund": "adjustment", "EdpDiscount": "discount",
    "PrivateRateDiscount": "discount", "BundledDiscount": "discount", "SavingsPlanNegation": "discount",
    "SavingsPlanCoveredUsage": "usage", "SavingsPlanUpfrontFee": "fee", "SavingsPlanRecurringFee": "fee",
}  # fmt: skip
BY_GOOGLE = {
    "PROMOTION": "credit", "FREE_TIER": "credit", "SUBSCRIPTION_BENEFIT": "credit", "DISCOUNT": "discount",
    "COMMITTED_USAGE_DISCOUNT": "discount", "SUSTAINED_USAGE_DISCOUNT": "discount", "RESELLER_MARGIN": "discount",
}  # fmt: skip
READ_AS = {
    "1.234,56": "1234.56", "12,50-": "-12.5", "(12,50)": "-12.5", "1 234,56": "1234.56", "1\u00a0234,56 €": "1234.56",
    "12,50 EUR": "12.5", "1'234,56": "1234.56", "\u221212,5": "-12.5", "7": "7",
}  # fmt: skip

# What it is: where it lands, its content, its lines (type and amount), what is skipped and why, what is refused and why.
CASES: dict[str, tuple[str, str | bytes, list[tuple[str, str]], dict[str, int], list[str]]] = {
    "amounts are missing in some results": (
        "openai/costs.json",
        page({"object": "organization.costs.result", "line_item": "a, input"}, cost(1), cost(None)),
        [("usage", "1")], {}, ["missing_amount"] * 2,
    ),
    "amounts are missing in all results": (
        "openai/costs.json", page({"object": "organization.costs.result", "line_item": "a, input"}),
        [], {}, ["missing_amount"],
    ),
    "units of OpenAI": (
        "openai/costs.json",
        page(*(cost(at, line_item=f"x-{at}, input", quantity=2.5, quantity_unit=unit)
               for at, unit in enumerate(("1000_tokens", "duration_minutes", "images", "gibibyte_hours"), 1)),
             cost(5, user_id="u"), cost(2.5e-05)),
        [("usage", str(at)) for at in range(1, 6)] + [("usage", "0.000025")], {}, [],
    ),
    "a page without buckets": ("openai/costs.json", json.dumps({"data": [], "has_more": False}), [], {"no_charge": 1}, []),
    "pages in an array": (
        "openai/costs.json", f"[{page(cost(1))}, {page(cost(2))}]", [("usage", "1"), ("usage", "2")], {}, []
    ),
    "credits are no money": (
        "openai/costs.json", page(cost(1) | {"amount": {"value": 5, "currency": "credits"}}), [], {}, ["bad_value"]
    ),
    "a log of credits": ("openai/log.csv", "account_id,credits,estimated_usd\na,5,1.2\n", [], {}, ["not_recognised"]),
    "a page that breaks off": ("openai/costs.json", page(cost(1))[:-20], [], {}, ["invalid_json"]),
    "an error in place of a page": ("openai/costs.json", '{"error": {"message": "no"}}', [], {}, ["not_recognised"]),
    "a header in another order and case": (
        "openai/costs.csv", rows({name.upper(): value for name, value in reversed(DASHBOARD.items())} | {"more": "x"}),
        [("usage", "1.5")], {}, [],
    ),
    "a mark, CRLF, a line break in quotes and an empty day": (
        "openai/costs.csv",
        "\ufeff" + rows(DASHBOARD | {"organization_name": "A\nB"}, DASHBOARD | {"amount_value": "", "amount_currency": ""}),
        [("usage", "1.5")], {"no_charge": 1}, [],
    ),
    "UTF-16": ("openai/costs.csv", rows(DASHBOARD).encode("utf-16"), [], {}, ["unreadable_file"]),
    "Latin-1": (
        "openai/costs.csv", rows(DASHBOARD, DASHBOARD | {"organization_name": "Zürich"}).encode("latin-1"),
        [("usage", "1.5")], {}, ["invalid_utf8"],
    ),
    "types of Anthropic": (
        "anthropic/cost.json",
        page(claude("100", cost_type="tokens", model="m", token_type="output_tokens", description="m"),
             claude("10", cost_type="web_search", description="w"), claude("20", cost_type="code_execution", description="c"),
             claude("5", cost_type="session_usage", description="s"), claude("-7", description="Adjustment"), bucket=DAY),
        [("usage", "1"), ("usage", "0.1"), ("usage", "0.2"), ("usage", "0.05"), ("adjustment", "-0.07")], {}, [],
    ),
    "Anthropic, not grouped and without the null columns": (
        "anthropic/cost.json", page({"amount": "300.5", "currency": "USD"}, bucket=DAY), [("usage", "3.005")], {}, []
    ),
    "types of AWS": (
        "aws/cur.csv", rows(*(CUR | TAX | {"line_item_line_item_type": name} for name in BY_AWS)),
        [(kind, "10") for kind in BY_AWS.values()], {}, [],
    ),
    "other services of AWS, with their taxes": (
        "aws/cur.csv",
        rows(CUR, CUR | {"line_item_product_code": "AmazonEC2"}, CUR | TAX | {"line_item_line_item_type": "Tax"},
             CUR | {"line_item_product_code": "AmazonS3", "line_item_line_item_type": "Tax"}),
        [("usage", "10"), ("tax", "10")], {"out_of_scope": 2}, [],
    ),
    "discounts in a map alone": (
        "aws/cur.csv", rows(CUR | {"discount": '{"edp": -1.5, "private_rate": "-0.25"}'}),
        [("usage", "10"), ("discount", "-1.75")], {}, [],
    ),
    "discounts in a total and in a map": (
        "aws/cur.csv", rows(CUR | {"discount": '{"edp": -1.5}', "discount_total_discount": "-1.5"}),
        [("usage", "10"), ("discount", "-1.5")], {}, [],
    ),
    "Parquet with maps, times and floats": (
        "aws/cur.parquet",
        parquet(CUR | {
            "line_item_unblended_cost": 0.1 + 0.2, "discount": a_map(edp=-0.5), "product": a_map(product_name="x"),
            "line_item_usage_start_date": at("2026-10-07T10:00"), "line_item_usage_end_date": at("2026-10-07T11:00"),
        }),
        [("usage", "0.3"), ("discount", "-0.5")], {}, [],
    ),
    "the names of the former CUR": (
        "aws/cur.csv",
        rows({re.sub(r"^(bill|line_item|pricing)_", r"\1/", name): value for name, value in CUR.items()}),
        [("usage", "10")], {}, [],
    ),
    "gzip": ("aws/cur.csv.gz", gzip.compress(rows(CUR).encode()), [("usage", "10")], {}, []),
    "Zstandard": ("aws/cur.csv.zst", pa.compress(rows(CUR).encode(), "zstd", asbytes=True), [("usage", "10")], {}, []),
    "categories of FOCUS": (
        "aws/focus.csv",
        rows(FOCUS, FOCUS | {"BilledCost": "0.30000000000000004"}, FOCUS | {"BilledCost": "0", "EffectiveCost": "7"},
             FOCUS | {"ChargeCategory": "Tax", "ServiceName": "", "ServiceCategory": "Other", "ConsumedQuantity": ""},
             FOCUS | {"ChargeCategory": "Credit", "BilledCost": "-3"}, FOCUS | {"ChargeClass": "Correction"},
             FOCUS | {"ChargeCategory": "Purchase", "ConsumedQuantity": "NULL"}, FOCUS | {"ChargeCategory": "Adjustment"},
             FOCUS | {"ServiceName": "Amazon EC2", "ServiceCategory": "Compute"}, FOCUS | {"BilledCost": "NULL"}),
        [("usage", "1.5"), ("usage", "0.3"), ("usage", "0"), ("tax", "1.5"), ("credit", "-3"), ("adjustment", "1.5"),
         ("fee", "1.5"), ("adjustment", "1.5")], {"out_of_scope": 1}, ["missing_amount"],
    ),
    "FOCUS 1.4 in Parquet, tags a map": (
        "focus/f.parquet", parquet(FOCUS | {"ServiceProviderName": "A", "HostProviderName": "B", "Tags": a_map(team="x")}),
        [("usage", "1.5")], {}, [],
    ),
    "FOCUS in a database's names": (
        "focus/f.csv", rows({re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in FOCUS.items()}),
        [("usage", "1.5")], {}, [],
    ),
    "credits of Google": (
        "gcp/g.jsonl",
        jsonl(GCP | {"credits": [{"name": name, "type": name, "amount": -1} for name in BY_GOOGLE] + [{"type": "PROMOTION"}]}),
        [("usage", "10"), *((kind, "-1") for kind in BY_GOOGLE.values())], {}, ["missing_amount"],
    ),
    "kinds of cost of Google": (
        "gcp/g.jsonl",
        jsonl({name: value for name, value in GCP.items() if name not in ("service", "sku", "usage")} | {"cost_type": "tax"},
              GCP | {"cost_type": "rounding_error", "service": None, "sku": None}, GCP | {"cost_type": "adjustment"},
              GCP | {"service": {"id": "AEFD-7695-64FA", "description": "Gemini API"}}, GCP | {"invoice": None},
              GCP | {"service": {"id": "X", "description": "Compute Engine"}, "credits": [{"type": "PROMOTION", "amount": -2}]},
              GCP | {"cost": None}, GCP | {"currency": "EUR", "currency_conversion_rate": 0}),
        [("tax", "10"), ("rounding", "10"), ("adjustment", "10"), ("usage", "10"), ("usage", "10")],
        {"out_of_scope": 2}, ["missing_amount", "bad_value"],
    ),
    "types of an EA": (
        "azure/ea.csv",
        rows(*(EA | {"ChargeType": kind} for kind in ("usage", "Refund", "Purchase", "UnusedReservation")),
             EA | {"ChargeType": "RoundingAdjustment", "MeterName": "", "MeterCategory": "", "UnitOfMeasure": ""},
             EA | {"MeterCategory": "Virtual Machines", "MeterName": "D2"}, EA | {"Date": "31/10/2026"}),
        [("usage", "3"), ("adjustment", "3"), ("fee", "3"), ("fee", "3"), ("rounding", "3")],
        {"out_of_scope": 1}, ["bad_timestamp"],
    ),
    "an EA of before 2021": (
        "azure/ea.csv",
        rows({{"CostInBillingCurrency": "Cost", "BillingCurrencyCode": "BillingCurrency"}.get(name, name): value
              for name, value in EA.items()}),
        [("usage", "3")], {}, [],
    ),
    "titles above the header": (
        "azure/ea.csv", "Cost analysis\nScope,Contoso\n\nFrom 1 October to 31 October\n" + rows(EA, EA), [("usage", "3")] * 2, {}, [],
    ),
    "a bucket in each line": (
        "openai/costs.jsonl",
        jsonl(BUCKET | {"results": [cost(1)]}, BUCKET | {"results": [cost(2), cost(3)]}, BUCKET | {"results": []}),
        [("usage", "1"), ("usage", "2"), ("usage", "3")], {"no_charge": 1}, [],
    ),
    "a table of Google": (
        "gcp/g.csv",
        rows(*({"billing_account_id": "01", "service.id": "C7E2-9256-1C43", "service.description": "Vertex AI",
                "sku.id": "1", "sku.description": "Gemini 3 Flash Text Output - Predictions", "usage_start_time": at,
                "usage_end_time": "1790816400", "cost": "10", "currency": "USD", "currency_conversion_rate": "1",
                "usage.amount": "100", "usage.unit": "count", "invoice.month": "202610", "cost_type": "regular",
                "credits": '[{"name": "x", "amount": -2.5, "type": "PROMOTION"}, {"amount": "-0.5"}]', "export_time": "2026-11-02"}
               for at in ("1.7908128E9", "1790812800000", "1790812800000000", "2026-10-01 00:00:00 UTC"))),
        [("usage", "10"), ("credit", "-3")] * 4, {}, [],
    ),
    "an MCA without USD": (
        "azure/mca.csv", rows(MCA, MCA | {"chargeType": "Refund", "previousInvoiceId": "G0"}),
        [("usage", "3"), ("adjustment", "3")], {}, [],
    ),
    "OpenRouter": (
        "openrouter/a.csv", rows(ROUTER, ROUTER | {"cost_total": "0"}, ROUTER | {"cost_total": ""}),
        [("usage", "0.0165"), ("usage", "0")], {}, ["missing_amount"],
    ),
    "OpenRouter's activity without what is around it": (
        "openrouter/a.jsonl", jsonl({"date": "2026-10-01", "model": "a/b", "usage": "0.015", "byok_usage_inference": 0}),
        [("usage", "0.015")], {}, [],
    ),
    "a table that a German program wrote again": (
        "azure/ea.csv",
        rows(*(EA | {"CostInBillingCurrency": cost, "Quantity": "2.000", "EffectivePrice": "0,0015", "Date": "01.10.2026",
                     "BillingPeriodStartDate": "01.10.2026", "BillingPeriodEndDate": "31.10.2026"}
               for cost in ("3,5", "-1.234,25", "7", "1,125", "2.500")), delimiter=";"),
        [("usage", "3.5"), ("usage", "-1234.25"), ("usage", "7"), ("usage", "1.125"), ("usage", "2500")], {}, [],
    ),
    "a table with thousands apart and times for days": (
        "azure/ea.csv",
        rows(EA | {"CostInBillingCurrency": "1,234.5", "Date": "10/1/2026 0:00"}, EA | {"CostInBillingCurrency": "1,234"},
             EA | {"Date": "10/1/2026 12:00:00 AM"}),
        [("usage", "1234.5"), ("usage", "1234"), ("usage", "3")], {}, [],
    ),
    "numbers of two dialects, or of either": (
        "openai/costs.csv", rows(*(DASHBOARD | {"amount_value": text} for text in ("1,5", "1.5")), delimiter=";"),
        [("usage", "1.5")], {}, ["bad_value"],
    ),
    "numbers that may be thousands": (
        "openai/costs.csv", rows(DASHBOARD | {"amount_value": "1,234"}, delimiter=";"), [], {}, ["bad_value"],
    ),
    "a day of the dashboard in ISO form alone": (
        "openai/costs.csv",
        rows({"start_time_iso": "2026-10-01T00:00:00Z", "amount_value": "1.5", "amount_currency": "usd"}), [("usage", "1.5")], {}, [],
    ),
    "a statement in one currency": ("globex/s.csv", "day,what,cost\n2026-10-01,x,1.5\n", [("usage", "1.5")], {}, []),
    "OpenRouter's API without activity": ("openrouter/a.json", '{"data": []}', [], {"no_charge": 1}, []),
    "numbers of statements": (
        "acme/s.csv", rows(*(LINE | {"Betrag": text} for text in READ_AS), delimiter=";"),
        [("usage", amount) for amount in READ_AS.values()], {}, [],
    ),
    "numbers that a statement does not have": (
        "acme/s.csv", rows(LINE, *(LINE | {"Betrag": text} for text in ("12.34,5", "1.5", "abc")), LINE | {"Waehrung": "€"}),
        [("usage", "1.5")], {}, ["bad_value"] * 4,
    ),
    "empty rows and totals of a statement": (
        "acme/s.csv",
        "\ufeff" + rows(LINE, dict.fromkeys(LINE, ""), LINE | {"Von": "", "Bis": "", "Art": "Summe:", "Betrag": "99"}),
        [("usage", "1.5")], {"no_charge": 1, "total": 1}, [],
    ),
    "a statement without a column, and with another": (
        "acme/s.csv", rows({name: value for name, value in LINE.items() if name != "Menge"} | {"Mehr": "x"}, delimiter="\t"),
        [("usage", "1.5")], {}, [],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def landed(tmp_path_factory) -> dict[str, dict]:
    """What became of each case: its lines in full, its manifest, its refusals."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("variants") / "data", company=None)
    (pipeline.settings.team / "mappings").mkdir(parents=True)
    for name, text in (("acme.yml", STATEMENT), ("globex.yml", IN_ONE_CURRENCY)):
        (pipeline.settings.team / "mappings" / name).write_text(text)
    for number, (path, content, *_) in enumerate(CASES.values()):
        vendor, name = path.split("/")
        target = Path(pipeline.settings.landing) / f"invoices/{vendor}/a{number:02}/dt=2026-11-05/{name}"
        target.parent.mkdir(parents=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    load_new_files(pipeline.settings, "invoices")
    raw = pipeline.settings.raw
    with duckdb.connect() as database:
        lines, loads, rejects = (
            database.execute(f"select * from read_parquet('{raw}/{files}', union_by_name = true)")
            .to_arrow_table()
            .to_pylist()
            for files in ("invoices/**/*.parquet", "_loads/*.parquet", "_rejects/*.parquet")
        )
    found = {}
    for number, case in enumerate(CASES):
        mine = [load for load in loads if f"/a{number:02}/" in load["landing_file"]]
        hashes = {load["content_hash"] for load in mine}
        found[case] = {
            "lines": sorted(
                (row for row in lines if row["content_hash"] in hashes),
                key=lambda row: (row["line_number"], row["item"]),
            ),
            "loads": mine,
            "rejects": [row for row in rejects if f"/a{number:02}/" in row["landing_file"]],
        }
    return found


@pytest.mark.parametrize("case", CASES)
def test_every_item_has_an_outcome(landed, case):
    _, _, lines, skipped, refused = CASES[case]
    found = landed[case]
    assert [(row["line_type"], row["amount"]) for row in found["lines"]] == [
        (kind, Decimal(amount)) for kind, amount in lines
    ]
    skips = Counter()
    for load in found["loads"]:
        skips.update(dict(load["skips_by_reason"] or {}))
    assert dict(skips) == skipped
    assert Counter(row["reason_code"] for row in found["rejects"]) == Counter(refused)
    assert sum(load["rows_in"] for load in found["loads"]) == len(lines) + sum(skipped.values()) + len(refused)
    said = [dict(load["amounts"] or {}) for load in found["loads"]]
    loaded = sum(amount for amounts in said for key, amount in amounts.items() if key.startswith("loaded"))
    assert loaded == sum(Decimal(amount) for _, amount in lines)


def test_a_refusal_says_what_to_do(landed):
    said = {case: " ".join(row["message"] for row in found["rejects"]) for case, found in landed.items()}
    assert "credits and points are no money" in said["credits are no money"]
    assert "it counts in credits, which are no money" in said["a log of credits"]
    assert "it is UTF-16" in said["UTF-16"]
    assert "Write the file as UTF-8" in said["Latin-1"]
    assert "31/10/2026, and days are written %m/%d/%Y" in said["types of an EA"]
    assert "amount is 1.5, no number" in said["numbers that a statement does not have"]
    assert all(found["rejects"] == [] or "land" in said[case] for case, found in landed.items())


def test_amounts_of_items_without_a_line_are_kept(landed):
    def amounts(case: str) -> dict[str, Decimal]:
        return {key: value for load in landed[case]["loads"] for key, value in dict(load["amounts"] or {}).items()}

    assert amounts("other services of AWS, with their taxes")["out_of_scope USD"] == 20
    assert amounts("kinds of cost of Google")["out_of_scope USD"] == 8  # 10 and its credit
    assert amounts("kinds of cost of Google")["rejected EUR"] == 10
    assert amounts("empty rows and totals of a statement")["skipped EUR"] == 99


def test_a_refund_of_an_earlier_invoice_is_a_correction(landed):
    usage, refund = landed["an MCA without USD"]["lines"]
    assert (usage["source_kind"], usage["invoice_id"], usage["charge_class"]) == ("cost_details_mca", "G1", None)
    assert refund["charge_class"] == "Correction"
    assert usage["billing_period_end"] == at("2026-11-01")  # 10/31 inclusive


SHIPPED = PROJECT / "orchestration" / "team" / "shipped" / "invoice_label_maps.csv"


def meaning(vendor: str, label: str) -> tuple[str | None, ...] | None:
    """(model, leaf, processing or tier, route or type of line) of a label, as int_invoice_labels finds it."""
    fitting = [
        (row["vendor"] == "*", int(row["priority"]), row["pattern"], row, found)
        for row in csv.DictReader(SHIPPED.read_text().splitlines())
        if row["vendor"] in (vendor, "*") and (found := re.fullmatch(f"(?i:{row['pattern']})", label))
    ]
    if not fitting:
        return None
    *_, row, found = min(fitting, key=lambda each: each[:3])

    def said(name: str) -> str | None:
        return (found.expand(row[name]) if row[name] else "") or None

    return said("model"), said("leaf"), said("processing") or said("service_tier"), said("route") or said("line_type")


@pytest.mark.parametrize(
    ("vendor", "label", "means"),
    [
        ("openai", "gpt-4o-mini-2024-07-18, cached input", ("gpt-4o-mini-2024-07-18", "cache_read", None, None)),
        ("openai", "gpt-6-astra, input_tokens", ("gpt-6-astra", "input", None, None)),
        ("openai", "gpt-6-astra, cache_write_12h_tokens", ("gpt-6-astra", "cache_write_12h", None, None)),
        ("aws", "USE1-Nova2.0Lite-input-tokens-flex", ("Nova2.0Lite", "input", "flex", None)),
        ("aws", "USE1-Claude4Sonnet-cache-read-input-token-count-cross-region-global",
         ("Claude4Sonnet", "cache_read", None, "cross-region-global")),
        ("aws", "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard",
         ("anthropic.claude-opus-4-8", "cache_write_5m", "standard", "global")),
        ("aws", "USE1-MP:USE1_input_tokens_long_ctx_global_standard-Units", (None, "input", None, None)),
        ("aws", "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", (None, "cache_write_1h", None, None)),
        ("aws", "USE1-MP:USE1_OutputTokenCount-Units", (None, "output", None, None)),
        ("aws", "USE1-Cohere-Rerank-search-units", ("Cohere-Rerank", "search_units", None, None)),
        ("aws", "USE1-NovaPro-ProvisionedThroughput-NoCommit-ModelUnits", ("NovaPro", None, None, "fee")),
        ("aws", "USE1-Claude4Sonnet-Reserved-1Month-Input-TPM", ("Claude4Sonnet", None, None, "fee")),
        ("aws", "USE1-Claude4.5Sonnet-input-tokens-lctx-cross-region-global", ("Claude4.5Sonnet", "input", None, "cross-region-global")),
        ("aws", "USE1-NovaSonic-speech-output-tokens", ("NovaSonic", "output_audio", None, None)),
        ("gcp", "Gemini 2.5 Flash GA Thinking Text Output - Predictions", ("Gemini 2.5 Flash", "reasoning", None, None)),
        ("gcp", "Generate content output token count gemini 2.5 flash lite short input text",
         ("gemini 2.5 flash lite", "output", None, None)),
        ("gcp", "Claude Sonnet 4.5 Cache Write 1h Tokens", ("Claude Sonnet 4.5", "cache_write_1h", None, None)),
        ("gcp", "Claude Sonnet 4.5 - Batch Input Tokens", ("Claude Sonnet 4.5", "input", "batch", None)),
        ("azure", "gpt-4o-mini-0718-outp-glbl tokens", ("gpt-4o-mini-0718", "output", None, None)),
        ("azure", "gpt-5-cached-inp-glbl tokens", ("gpt-5", "cache_read", None, None)),
        ("azure", "text-embedding-3-small-glbl tokens", ("text-embedding-3-small", "input", None, None)),
        ("openai", "o3, reasoning output", ("o3", "reasoning", None, None)),
        ("openai", "whisper-1, audio seconds", ("whisper-1", None, None, None)),
        ("gcp", "Gemini 3 Flash Text Input - Predictions (Long)", ("Gemini 3 Flash", "input", None, None)),
        ("gcp", "Gemini 3 Flash Text Output - Predictions Priority", ("Gemini 3 Flash", "output", "Priority", None)),
        ("gcp", "Gemini 3 Flash Text Input - Batch Predictions", ("Gemini 3 Flash", "input", "batch", None)),
        ("gcp", "Gemini 3 Flash Thinking Text Output - Predictions", ("Gemini 3 Flash", "reasoning", None, None)),
        ("gcp", "Gemini 3 Flash Text Input Caching", ("Gemini 3 Flash", "cache_read", None, None)),
        ("gcp", "Gemini 3 Flash Input Caching Storage", ("Gemini 3 Flash", "cache_storage_token_hours", None, None)),
        ("gcp", "Grounding with Google Search - Gemini", (None, "web_searches", None, None)),
        ("azure", "5.5 shortco inp gl 1m tokens", ("5.5 shortco", "input", None, None)),
        ("azure", "5.5 shortco cchd inp dz 1m tokens", ("5.5 shortco", "cache_read", None, None)),
        ("azure", "gpt 4o 1120 batch outp glbl tokens", ("gpt 4o 1120", "output", "batch", None)),
        ("azure", "provisioned managed global unit", (None, None, None, "fee")),
        ("azure", "claude consumption units", (None, None, None, None)),
    ],
)  # fmt: skip
def test_what_labels_mean(vendor, label, means):
    assert meaning(vendor, label) == means
