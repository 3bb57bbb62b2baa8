"""Great Expectations judges small profiles that SQL computed (profiles/*.sql, by orchestration/quality/suites.py).

The only module that imports great_expectations, and only where something is to be judged: the import alone costs 5 to 17 s.
"""

import hashlib
import html
import json
import os
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from expectations.data_docs import standalone
from expectations.wording import TABLE_ROWS, failure_sentence, markdown_table, plain

FOLDER = Path(__file__).parent
SUITES = (
    *("load_profile", "price_book", "unpriced_models", "price_coverage", "calls_seen_twice", "invoices"),
    "reconciliation",
)
SEVERITIES = ("none", "warning", "error")
SEVERITY_OF = {"warning": "warning", "critical": "error"}  # Great Expectations' word -> ours


@dataclass(frozen=True)
class Outcome:
    """What a suite found: severity `none` when it passed, a sentence per unmet expectation, the failing rows."""

    suite: str
    passed: bool
    severity: str
    sentences: tuple[str, ...]
    severities: tuple[str, ...]  # of each sentence
    checks: tuple[str, ...]  # the asset check that each sentence is about; blank for that of the suite
    table: str  # Markdown, at most 20 rows
    rows: int  # rows of the profile that were judged
    cached: bool = False


@dataclass(frozen=True)
class Judgement:
    """An outcome and what Data Docs show of it: title and subject of the suite, its failing rows under a header, the page."""

    outcome: Outcome
    title: str
    about: str
    failing: list[list[str]]
    page: str


@dataclass
class _Verdict:
    """The unmet expectations of one run, and Great Expectations' own page about it."""

    page: str
    severity: str = "none"
    sentences: list[str] = field(default_factory=list)
    severities: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)


def judge(suite: str, frame: pd.DataFrame, parameters: dict[str, Any], as_of: datetime) -> Judgement:
    """Great Expectations' judgement on a suite's profile. `parameters` are what the suite names as {"$PARAMETER": name}."""
    definition = definition_of(suite)
    verdict = _judge(frame, definition, parameters, as_of)
    rows = [row for at, row in enumerate(frame.to_dict("records")) if at in verdict.failing]
    columns = definition["columns"]
    outcome = Outcome(
        suite=suite,
        passed=verdict.severity == "none",
        severity=verdict.severity,
        sentences=tuple(verdict.sentences),
        severities=tuple(verdict.severities),
        checks=tuple(verdict.checks),
        table=markdown_table(columns, rows),
        rows=len(frame),
    )
    failing = [columns, *([plain(row[column]) for column in columns] for row in rows[:TABLE_ROWS])]
    return Judgement(outcome, definition["title"], definition["about"], failing, verdict.page)


def definition_of(suite: str) -> dict[str, Any]:
    """A suite as its file has it. Raises ValueError with a sentence when there is none."""
    if suite not in SUITES:
        raise ValueError(f"There is no suite {suite!r} in {FOLDER}: the suites are {', '.join(SUITES)}.")
    return json.loads((FOLDER / f"{suite}.json").read_text())


def empty_profile(suite: str) -> pd.DataFrame:
    """No rows, with the columns that the suite's expectations name."""
    definition = definition_of(suite)
    named = dict.fromkeys(definition["columns"])
    for expectation in definition["expectations"]:
        kwargs = expectation["kwargs"]
        named |= dict.fromkeys(kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs)
        named |= dict.fromkeys(kwargs.get("column_list", ()))
    return pd.DataFrame(columns=list(named), dtype=object)


def fingerprint(frame: pd.DataFrame, parameters: dict[str, float]) -> str:
    """What a judgement depends on: every value with its type, settings, suites and code here, the judge's version."""
    digest = hashlib.sha256(repr((list(frame.columns), parameters, version("great-expectations"))).encode())
    for path in sorted(path for path in FOLDER.rglob("*") if path.suffix in {".json", ".py", ".sql"}):
        digest.update(path.name.encode() + path.read_bytes())
    for row in frame.itertuples(index=False, name=None):
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _judge(frame: pd.DataFrame, definition: dict[str, Any], parameters: dict[str, Any], as_of: datetime) -> _Verdict:
    """Great Expectations' verdict on a frame. Its context lives in memory, reports no usage and draws no bars."""
    gx = great_expectations()
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars={"globally": False},
    )
    context, name = gx.get_context(mode="ephemeral", project_config=config), definition["suite"]
    suite = context.suites.add(gx.ExpectationSuite(name, expectations=_gx_expectations(definition)))
    batch = (
        context.data_sources.add_pandas("profiles").add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    )
    run = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    result = run.run(
        batch_parameters={"dataframe": frame},
        expectation_parameters=parameters,
        result_format="COMPLETE",
        run_id=RunIdentifier(run_name=name, run_time=as_of),
    )
    records, verdict = frame.to_dict("records"), _Verdict(page="")
    by_position = {result.expectation_config.meta["position"]: result for result in result.results}
    for position, expectation in enumerate(definition["expectations"]):
        if not by_position[position].success:
            _add_failure(verdict, expectation, by_position[position], records, parameters)
    verdict.page = standalone(_gx_page(result), definition, verdict.severity)
    return verdict


def great_expectations() -> ModuleType:
    """The library, imported when something has to be judged and not before."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        # great_expectations 1.24 imports sre_constants and sre_parse, which Python deprecates: not ours to fix
        warnings.filterwarnings(
            "ignore", message="module 'sre_(constants|parse)' is deprecated", category=DeprecationWarning
        )
        import great_expectations as library
    return library


def _gx_expectations(definition: dict[str, Any]) -> list[dict[str, Any]]:
    """The suite's expectations as Great Expectations reads them; `position` finds each one's result again."""
    return [
        {
            "type": expectation["type"],
            "kwargs": expectation["kwargs"],
            "severity": expectation["severity"],
            "description": expectation["meta"]["says"],
            "meta": {"position": position},
        }
        for position, expectation in enumerate(definition["expectations"])
    ]


def _add_failure(
    verdict: _Verdict, expectation: dict[str, Any], result: Any, records: list[dict], parameters: dict
) -> None:
    problem = _exception(result.exception_info)
    severity = "error" if problem else SEVERITY_OF[expectation["severity"]]
    verdict.severity = max(verdict.severity, severity, key=SEVERITIES.index)
    verdict.severities.append(severity)
    verdict.checks.append(expectation["meta"].get("check", ""))
    if problem:
        verdict.sentences.append(
            f"It could not be checked whether this holds: {expectation['meta']['says']} {plain(problem)}"
        )
        return
    # an expectation about the table as a whole names no rows: all of them are meant
    positions = result.result.get("unexpected_index_list") or range(len(records))
    verdict.failing.update(positions)
    verdict.sentences.append(failure_sentence(expectation["meta"], [records[at] for at in positions], parameters))


def _exception(info: dict[str, Any]) -> str | None:
    """The message of an exception inside an expectation; Great Expectations nests it by metric, or does not."""
    for details in [info, *(value for value in info.values() if isinstance(value, dict))]:
        if details.get("raised_exception"):
            return str(details.get("exception_message"))
    return None


def _gx_page(result: Any) -> str:
    """Great Expectations' page of a result, with at most 20 sample values. Its template escapes nothing: this does."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    for one in result.results:
        for every_value in (
            "unexpected_list",
            "unexpected_index_list",
            "unexpected_index_query",
            "partial_unexpected_index_list",
        ):
            one.result.pop(every_value, None)
        one.result = _escaped(one.result)
        one.exception_info = _escaped(one.exception_info)
    document = ValidationResultsPageRenderer().render(result)
    overview = document.sections[0]
    overview.content_blocks = overview.content_blocks[
        1:2
    ]  # the counts: before and after them is what a program asks for
    return DefaultJinjaPageView().render(document)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return html.escape(value) if isinstance(value, str) else value
