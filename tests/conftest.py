"""Which tests build a world, in what order files run, and fixtures that several files share. tests/README.md has the rules."""

import gc
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from orchestration import dbt
from tests.pipeline import WITHOUT_TESTS, Pipeline, pipeline_at
from tests.warm_dbt import warm_dbt

SHARED = Path(__file__).resolve().parents[2] / "shared"

# Files that build a world or take long for other reasons, and about how many seconds one of two cores needs for each. A file is
# one worker's, so the longest come first: begun last, it would keep that worker busy long after the other one is done.
SECONDS = {
    "dagster": 149,
    "demo_weeks": 129,
    "rebuild": 90,
    "faults": 79,
    "publication": 65,
    "verification": 63,
    "news": 62,
    "alerts": 60,
    "publication_faults": 58,
    "inbox_browser": 56,
    "budgets": 47,
    "landing_bounds": 41,
    "price_changes": 40,
    "odd_events": 38,
    "notifications": 37,
    "incident_command": 33,
    "bugs": 33,
    "weekly_report": 33,
    "weekly_summary": 31,
    "plain": 30,
    "invoices": 28,
    "landing_trouble": 28,
    "landing_safety": 28,
    "silence": 27,
    "real_data": 26,
    "alert_benchmark": 25,
    "whole_catalogue": 24,
    "rows": 24,
    "runs": 20,
    "budget_announcements": 19,
    "demo": 18,
    "environment": 18,
    "reconciliation": 17,
    "alert_history": 16,
    "inbox": 16,
    "source_traces": 15,
    "expectations": 15,
    "second_company": 14,
    "warm_dbt": 40,
    "spill": 13,
    "dbt_house": 13,
    "budget_states": 13,
    "alert_pauses": 12,
    "landing_reload": 11,
    "recurrence": 11,
    "dialects": 10,
    "alert_decomposition": 8,
    "price_cases_litellm": 5,
    "unpriced_models": 4,
    "incident_events": 4,
    "docs": 3,
    "pricing_overrides": 3,
    "pricing_corrections": 3,
    "source_freshness": 3,
    "budget_docs": 2,
    "pricing_usage": 1,
    "price_cases": 1,
    "explain": 1,
    "accepted_builds": 1,
    "known_pricing_bugs": 1,
    "invoice_variants": 1,
}
# Worlds that several files read. A fixture of scope `session` builds each of what `land(pipeline)` of its files lands, and one
# worker has all of these files.
WORLDS = {
    "accepted_events": ("odd_events", "accepted_builds"),
    "priced_calls": ("whole_catalogue", "price_cases", "known_pricing_bugs", "pricing_usage"),
    "published_calls": ("docs", "explain", "inbox", "inbox_browser", "incident_command"),
}
gc.set_threshold(50_000, 20, 20)  # as in a run: a tenth of the CPU time was looking for garbage
os.environ["TOKENTRAIL_THREADS"] = "1"  # for the processes that tests start: as `pipeline_at` has it
NO_DBT = Path("a file that builds a world has a line in SECONDS of tests/conftest.py")
WARM_DBT = pytest.StashKey[Path]()


def name_of(item: pytest.Item) -> str:
    return item.path.stem.removeprefix("test_")


def seconds(item: pytest.Item) -> int:
    """What the item's file takes; 0 when it builds nothing."""
    return SECONDS.get(name_of(item), 0)


class WorldScheduling(LoadFileScheduling):
    """A file is one worker's, and so are the files that read one world."""

    def _split_scope(self, nodeid: str) -> str:
        name = Path(nodeid.split("::")[0]).stem.removeprefix("test_")
        return next((world for world, files in WORLDS.items() if name in files), name)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WorldScheduling:
    return WorldScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first; `make test-fast` leaves out all that are marked as slow."""
    items.sort(key=seconds, reverse=True)
    for item in items:
        if seconds(item):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """No file loads all definitions while it is imported: they parse the project into the default data root, both workers at once."""
    if "orchestration.defs.transform" in sys.modules:
        raise pytest.UsageError(
            "A test file imports all of orchestration.defs: import it in a fixture, as test_dagster.py does."
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Slow tests share a dbt that has started already, one for each worker; fast ones have none."""
    dbt.DBT = _warm_dbt(item.config) if seconds(item) else NO_DBT


def _warm_dbt(config: pytest.Config) -> Path:
    if WARM_DBT not in config.stash:
        dbt.DBT = dbt.INSTALLED
        stack = ExitStack()
        config.add_cleanup(stack.close)
        config.stash[WARM_DBT] = stack.enter_context(warm_dbt())
    return config.stash[WARM_DBT]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """An empty data root at a pinned instant."""
    return pipeline_at(tmp_path / "data")


@pytest.fixture(scope="session")
def accepted_events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Odd events of two files of tests, built with every test of dbt, and published."""
    pipeline = _landed("accepted_events", request, tmp_path_factory)
    pipeline.run()
    return pipeline


@pytest.fixture(scope="session")
def priced_calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Calls of several files, priced by one build; read them with `inside`."""
    pipeline = _landed("priced_calls", request, tmp_path_factory)
    pipeline.price()
    return pipeline


@pytest.fixture(scope="session")
def published_calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Calls of several files in one publication, with something in every mart."""
    pipeline = _landed("published_calls", request, tmp_path_factory)
    pipeline.run(*WITHOUT_TESTS)
    return pipeline


def _landed(world: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """What those of its files land that this run of pytest has tests of."""
    pipeline = pipeline_at(tmp_path_factory.mktemp(world) / "data")
    for module in {item.module: None for item in request.session.items if name_of(item) in WORLDS[world]}:
        module.land(pipeline)
    return pipeline


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's real test data, which only developers and CI have next to the checkout."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is there only for developers and CI.")
    return SHARED / "data"


@pytest.fixture
def usd() -> Callable:
    """usd(3, per_million=1_000) is what 1,000 tokens cost at 3 dollars per million."""
    from decimal import Decimal

    return lambda tokens, per_million: Decimal(tokens) * Decimal(str(per_million)) / 1_000_000
