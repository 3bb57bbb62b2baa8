"""`make check-events` says of a file what a load would, every reason of every line, prices it as a run would, and writes nothing."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.commands.check_events import main
from orchestration.landing.checking import checked
from orchestration.landing.load import load_new_files
from orchestration.settings import PROJECT
from tests.pipeline import AS_OF, Pipeline, event, pipeline_at
from tests.test_plain import HOSTILE, OBEYED

BAD = {
    "provider": "openai",
    "status": "ok",
    "inputTokens": -3,
    "outputTokens": 1.5,
    "occurredAt": "yesterday",
    "externalRequestId": "bad",
}
PARTS = event("parts", inputTokens=10, cacheReadTokens=20)
LINES = [
    event("good"),
    event("late", "2026-11-24T10:00:00Z", input_tokens=7, prompt="a secret"),
    event("unknown", provider="selfhosted", model="acme-internal-7b", tenantId=None),
    event("near", provider="openai", model="gpt-5.2-acme-ft"),
    event("no-usage", inputTokens=None, outputTokens=None, endpointTag=None),
    event("again", providerRequestId="p-1"),
    event("again", providerRequestId="p-1"),
    event("back", withdrawn=True),
    BAD,
    PARTS,
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A data root that does not exist; what a run would use, at a pinned instant."""
    pipeline = pipeline_at(tmp_path / "elsewhere" / "data")
    for name, value in (("TOKENTRAIL_DATA", str(pipeline.settings.data)), ("TOKENTRAIL_AS_OF", AS_OF.isoformat())):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FILE", raising=False)
    monkeypatch.delenv("ALL", raising=False)
    return pipeline


def written(tmp_path: Path, lines: list, name: str = "own.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_file_is_judged_priced_and_explained_on_one_screen(root, tmp_path, capsys):
    path = written(tmp_path, [*LINES, "no json"])
    before = sorted(root.settings.data.rglob("*"))
    assert main([str(path)]) == 1
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) <= 45
    assert shown.splitlines()[0] == f"{path}: 8 of 11 lines would be loaded, 3 rejected."
    assert shown.splitlines()[-1] == "own.jsonl: 8 of 11 lines would be loaded, 3 rejected."
    assert (
        "line 9: missing_field: model is missing; bad_timestamp: occurredAt is yesterday; bad_status: status is ok; 2 more."
        in shown
    )
    assert (
        "line 10: parts_exceed_total: the parts of inputTokens add up to 20, more than the 10 of inputTokens." in shown
    )
    assert "line 11: invalid_json: it is not JSON." in shown
    assert "Event dates (UTC): 2026-11-20 to 2026-11-24, 2 dates. Environment: prod. Data mode: real." in shown
    assert "1 line in the future, up to 2026-11-24 10:00 UTC" in shown
    assert "Lines without endpointTag (1), featureTag (8) and tenantId (1): " in shown
    assert "selfhosted/acme-internal-7b: 1 call with no price, in no total." in shown
    assert "openai/gpt-5.2-acme-ft: 1 call with no price, in no total. Nearest names: openai/gpt-5.2 (" in shown
    assert "1 call without the token counts that are priced: their cost is unknown, not 0." in shown
    assert "1 line with the ids of an earlier line: a call counts once, so 0.01 USD of the total fall away." in shown
    assert "1 line with `withdrawn`" in shown
    assert "prompt would be dropped" in shown
    assert "input_tokens (1; did you mean inputTokens?)" in shown
    # 4 calls of 1,000 tokens at 3 USD and 200 at 15 USD per million
    assert "0.024000" in next(line for line in shown.splitlines() if line.startswith("total"))
    assert sorted(root.settings.data.rglob("*")) == before
    assert not root.settings.raw.exists()


def test_all_shows_every_reason_and_every_line(root, tmp_path, capsys, monkeypatch):
    path = written(tmp_path, [BAD, *[event(f"bad-{number}", status="ok") for number in range(30)]])
    assert main([str(path)]) == 1
    assert "23 more lines. ALL=true shows them." in capsys.readouterr().out
    monkeypatch.setenv("ALL", "true")
    assert main([str(path)]) == 1
    shown = capsys.readouterr().out
    assert "negative_tokens: inputTokens is -3; not_an_integer: outputTokens is 1.5." in shown
    assert "line 31: bad_status: status is ok." in shown


def test_the_verdict_is_the_loaders_own(root, tmp_path):
    """Line by line: what is refused here is refused there, for the first of the reasons."""
    lines = [*LINES, "[1]", "{", "", json.dumps(event("long" * 100)), json.dumps(event("cost", costUsd="abc"))]
    path = written(tmp_path, lines)
    with checked(path, root.settings) as found:
        here = {refused.line_number: refused.reasons[0][0] for refused in found.refused}
        good = found.good
    root.land("own.jsonl", path.read_text())
    load = load_new_files(root.settings)
    [rejects] = (root.settings.raw / "_rejects").glob("*.parquet")
    there = {row["line_number"]: row["reason_code"] for row in pq.read_table(rejects).to_pylist()}
    assert here == there
    assert len(here) == 6
    assert (load.rows_loaded, load.rows_rejected) == (good, len(here))


def test_each_call_is_priced_by_its_own_convention_tier_units_and_total(root, tmp_path, capsys):
    lines = [
        event("exclusive", tokenConvention="exclusive", inputTokens=100, cacheReadTokens=900, cacheWriteTokens=50),
        event("batch", provider="openai", model="gpt-4o", processing="batch"),
        event(
            "audio",
            provider="openai",
            model="whisper-1",
            inputTokens=None,
            outputTokens=None,
            usage={"audio_seconds": 90},
        ),
        event("total", totalTokens=1_500, outputTokens=None, inputTokens=900),
    ]
    assert main([str(written(tmp_path, lines))]) == 0
    exclusive = (
        usd(100, per_million=3) + usd(900, per_million="0.3") + usd(50, per_million="3.75") + usd(200, per_million=15)
    )
    batch = usd(1_000, per_million="1.25") + usd(200, per_million=5)
    audio, total = 90 * Decimal("0.006") / 60, usd(900, per_million=3) + usd(600, per_million=15)
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("total")).split()
    assert shown[4:6] == [f"{exclusive + batch + audio + total:.6f}", "0"]


def usd(tokens: int, per_million: str | int) -> Decimal:
    return tokens * Decimal(per_million) / 1_000_000


def test_every_format_that_lands_can_be_checked(root, tmp_path, capsys):
    lines = [event("one"), event("two")]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    names = list(lines[0])
    table = ",".join(names) + "\n" + "".join(",".join(str(line[name]) for name in names) + "\n" for line in lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (tmp_path / "b.csv").write_text(table)
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(table.encode(), mtime=0))
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "d.parquet")
    for name in ("a.jsonl.gz", "b.csv", "c.csv.gz", "d.parquet"):
        assert main([str(tmp_path / name)]) == 0
        assert (
            f"{name}: every one of 2 lines would be loaded. Land it as landing/events/dt=YYYY-MM-DD/{name}."
            in capsys.readouterr().out
        )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "own.txt",
            b"{}\n",
            "the file would be rejected, bad_file_name: its folder or its ending is none that is read.",
        ),
        ("own.jsonl", b"", "the file would be rejected, empty_file: it has no bytes."),
        ("own.jsonl.gz", gzip.compress(b"{}\n" * 1000, mtime=0)[:-8], "truncated_gzip: the gzip data breaks off"),
        ("own.parquet", b"PAR1 nothing", "the file would be rejected, unreadable_file: it is no readable Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_verdict(root, tmp_path, capsys, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    assert main([str(tmp_path / name)]) == 1
    assert sentence in capsys.readouterr().out


def test_a_file_of_nothing_but_refused_lines_is_given_up_as_by_a_load(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TOKENTRAIL_GIVE_UP_REJECTS", "5")
    assert main([str(written(tmp_path, [event(str(number), status="ok") for number in range(9)]))]) == 1
    assert "file_given_up: 9 of 9 lines read would be refused." in capsys.readouterr().out


def test_names_that_are_markup_or_control_codes_are_shown_and_obeyed_by_nothing(root, tmp_path, capsys):
    lines = [
        event(text, model=f"unknown {text}", provider=text or "x", environment=text, **{f"field {text}": 1})
        for text in HOSTILE
    ]
    main([str(written(tmp_path, [*lines, *(event("bad", status=text) for text in HOSTILE)])), "--all"])
    shown = capsys.readouterr().out
    assert not OBEYED.search(shown)
    assert "bad_status: status is [/x]" in shown


def test_what_cannot_be_checked_is_a_sentence_and_exit_code_2(root, tmp_path, capsys):
    assert main([]) == 2
    assert main([str(tmp_path / "none.jsonl")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "FILE is empty: write make check-events FILE=path/to/events.jsonl.",
        f"FILE is '{tmp_path / 'none.jsonl'}', and there is no such file: write make check-events FILE=path/to/events.jsonl.",
    ]


def test_it_needs_neither_dagster_nor_a_data_root(root, tmp_path):
    """A sender's own CI runs it: nothing heavy is imported, and nothing is written."""
    path = written(tmp_path, [event("one")])
    code = (
        "import sys; from orchestration.commands.check_events import main; "
        f"code = main(['{path}']); sys.exit(3 if {{'dagster', 'dbt'}} & set(sys.modules) else code)"
    )
    environment = os.environ | {"TOKENTRAIL_DATA": str(tmp_path / "never"), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "never").exists()


def test_an_invoice_is_checked_in_the_folder_of_its_vendor(root, tmp_path, capsys):
    """Lines, what is out of scope and skipped, what is refused, each with its amount; and nothing is written."""
    usage = {"cost_type": "regular", "sku": {"description": "Gemini 3 Flash Text Input - Predictions"}, "currency": "USD",
             "usage_start_time": "2026-10-05 07:00:00 UTC", "usage_end_time": "2026-10-06 07:00:00 UTC",
             "billing_account_id": "1", "invoice": {"month": "202610"}, "export_time": "2026-11-02 09:00:00 UTC"}  # fmt: skip
    ai, machine = {"description": "Vertex AI"}, {"description": "Compute Engine"}
    path = written(tmp_path, [
        usage | {"service": ai, "cost": 1.25, "usage": {"amount": 5, "unit": "count"}},
        usage | {"service": machine, "cost": 42}, usage | {"service": ai, "cost": None},
        usage | {"service": ai, "cost": 2, "sku": {"description": "Something new"}},
    ])  # fmt: skip
    assert main([str(path), "--source", "invoices/gcp"]) == 1
    said = capsys.readouterr().out
    assert "of 4 items 2 would be loaded (3.25 USD), 1 out of scope (42 USD), 1 rejected." in said
    assert "line 3: missing_amount: it has no amount." in said
    assert "No row of invoice_label_maps.csv knows 'Something new'" in said
    assert "Land it as landing/invoices/gcp/<account>/dt=YYYY-MM-DD/own.jsonl." in said
    assert not root.settings.raw.exists()
    assert main([str(path), "--source", "invoices"]) == 2
    assert "SOURCE=invoices/openai" in capsys.readouterr().err
