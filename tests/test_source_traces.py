"""Calls in traces whose spans land apart: the same attempts and dimensions whatever lies in which file, and in what order."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from orchestration import dbt
from orchestration.landing.load import load_new_files
from orchestration.landing.manifests import files_with_missing_rows
from tests.pipeline import WITHOUT_TESTS, Pipeline, pipeline_at
from tests.test_sources import SAMPLES, expected_of, sample_file, samples

TRACED = [name for name in samples() if name.startswith("otel/") and not name.endswith("two_instrumentations")]
ATTEMPTS = """
    select
        request_id, provider_request_id, model, status, input_tokens, output_tokens, cache_write_1h_tokens, cost_usd,
        tenant_id, user_id, endpoint_tag, prompt_version
    from marts.fct_attempts order by all
"""
CHECKS = ("assert_no_attempt_is_dropped", "assert_no_double_count", "int_span_dimensions,resource_type:test")
pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not next to the checkout")


def spans_of(line: str) -> list[dict]:
    """The spans of a batch, each in a batch of its own."""
    return [
        {"resourceSpans": [resource | {"scopeSpans": [scope | {"spans": [span]}]}]}
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def is_root(one: dict) -> bool:
    """Whether a span has nothing above it."""
    return not one["resourceSpans"][0]["scopeSpans"][0]["spans"][0].get("parentSpanId")


def land(pipeline: Pipeline, name: str, content: str, day: str = "2026-11-28") -> None:
    """Land a file of spans."""
    path = Path(pipeline.settings.landing) / "otel" / f"dt={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def build(pipeline: Pipeline) -> list[tuple]:
    """The attempts after one more load and build."""
    load = load_new_files(pipeline.settings, "otel")
    assert load.rows_in == load.rows_loaded + load.rows_rejected + load.rows_skipped
    pipeline.build("--select", "+fct_attempts", *WITHOUT_TESTS)
    dbt.run_dbt(pipeline.settings, "test", "--quiet", "--select", *CHECKS)
    assert files_with_missing_rows(pipeline.settings, "otel") == []
    return pipeline.inside(ATTEMPTS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> list[tuple]:
    """Every sample of traces as it is."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("whole") / "data")
    for name in TRACED:
        land(pipeline, f"{Path(name).name}.jsonl", sample_file(name).read_text())
    return build(pipeline)


@pytest.fixture(scope="module")
def apart(tmp_path_factory) -> Pipeline:
    """A data root in which the spans below others landed first, every one in a file of its own."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("apart") / "data")
    for name in TRACED:
        lines = sample_file(name).read_text().splitlines()
        for number, one in enumerate(one for line in lines for one in spans_of(line) if not is_root(one)):
            land(pipeline, f"{Path(name).name}-{number}.json", json.dumps(one))
    build(pipeline)
    return pipeline


def test_an_attempt_for_each_call_that_was_billed(whole):
    """Pairs of emitters that share the provider's id are one."""
    events = [one for name in TRACED for one in expected_of(name) if "event" in one]
    assert len(whole) == len(events) - sum("same_attempt_as" in one for one in events)


def test_roots_that_land_later_give_the_same_attempts_and_dimensions(whole, apart):
    for name in TRACED:
        lines = sample_file(name).read_text().splitlines()
        roots = [json.dumps(one) for line in lines for one in spans_of(line) if is_root(one)]
        land(apart, f"{Path(name).name}-roots.jsonl", "\n".join(reversed(roots)), "2026-11-29")
    before = apart.inside(ATTEMPTS)
    assert build(apart) == whole
    assert before != whole


def test_all_of_it_once_more_in_other_files_changes_nothing(whole, apart):
    for name in TRACED:
        again = [json.dumps(json.loads(line), indent=1) for line in sample_file(name).read_text().splitlines()]
        for number, document in enumerate(again):
            land(apart, f"{Path(name).name}-again-{number}.json", document, "2026-11-30")
    assert build(apart) == whole


def test_a_mapping_that_is_corrected_heals_history_in_the_next_run(whole, apart):
    folder = apart.settings.team / "mappings"
    folder.mkdir(parents=True)
    (folder / "otel.yml").write_text("fields:\n  tenantId: \"'corrected'\"\n")
    healed = build(apart)
    assert [(*row[:8], *row[9:]) for row in healed] == [(*row[:8], *row[9:]) for row in whole]
    assert {row[8] for row in healed} == {"corrected"}


def test_traces_that_are_split_give_the_same_attempts(tmp_path):
    """Each split has ids of its own, so that one world holds them all; the half that ends lands first in every other one."""
    pipeline = pipeline_at(tmp_path / "data")
    split: dict[str, tuple[str, int]] = {}  # by trace: the sample and where it is split, 0 for the whole
    for name in TRACED:
        whole = sample_file(name).read_text().splitlines()
        lines = [json.dumps(one) for line in whole for one in spans_of(line)]
        for at in range(0, len(lines), 3):  # 0 is the whole
            renamed = with_other_ids(name, lines, at)
            split |= {span["traceId"]: (name, at) for span in spans_in(renamed)}
            for half, part in enumerate((renamed[:at], renamed[at:])):
                if part:
                    day = "2026-11-28" if half == at % 2 else "2026-11-29"
                    land(pipeline, f"{Path(name).name}-{at}-{half}.jsonl", "\n".join(part), day)
    build(pipeline)
    said = ATTEMPTS.replace("request_id, provider_request_id", "trace_id").replace("order by all", "")
    attempts: dict[tuple[str, int], Counter] = {}
    for trace, *values in pipeline.inside(said):
        attempts.setdefault(split[trace], Counter())[tuple(values)] += 1
    assert len(attempts) > 60
    different = [at for at, found in attempts.items() if found != attempts[at[0], 0]]
    assert different == []


def spans_in(lines: list[str]) -> list[dict]:
    """The spans of lines."""
    alone = [one["resourceSpans"][0]["scopeSpans"][0] for line in lines for one in spans_of(line)]
    return [scope["spans"][0] for scope in alone]


def with_other_ids(name: str, lines: list[str], number: int) -> list[str]:
    """The lines with other ids of traces, spans and answers, the same in all of them."""
    ids = {span[key] for span in spans_in(lines) for key in ("traceId", "spanId")}
    ids |= {one["event"].get("providerRequestId") for one in expected_of(name) if "event" in one} - {None}
    others = {one: hashlib.md5(f"{one}{number}".encode()).hexdigest()[: len(one)] for one in ids}
    pattern = re.compile("|".join(sorted(map(re.escape, ids), key=len, reverse=True)))
    return [pattern.sub(lambda found: others[found[0]], line) for line in lines]
