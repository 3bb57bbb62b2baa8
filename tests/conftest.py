"""Fixtures that several test files share; the expensive ones are built once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, pipeline_at

SHARED = Path(__file__).resolve().parents[2] / "shared"


# A file is one worker's: begun last, one of these would keep it busy long after the other worker is done.
LONG = (
    "faults",
    "verification",
    "bugs",
    "odd_events",
    "landing_bounds",
    "accepted_builds",
    "publication_faults",
    "demo_weeks",
    "weekly_summary",
    "incident_events",
    "incident_command",
    "recurrence",
    "rebuild",
    "unpriced_models",
    "alerts",
    "dagster",
    "price_changes",
    "publication",
    "budgets",
    "real_data",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONG)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """An empty data root at a pinned instant."""
    return pipeline_at(tmp_path / "data")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's real test data, which stands beside the checkout for developers and CI."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED} stands beside the checkout only for developers and CI.")
    return SHARED / "data"


@pytest.fixture
def usd() -> Callable:
    """usd(3, per_million=1_000) is what 1,000 tokens cost at 3 dollars per million."""
    from decimal import Decimal

    return lambda tokens, per_million: Decimal(tokens) * Decimal(str(per_million)) / 1_000_000
