"""What the integrity tests look at, what they say, and how a line is set aside: DESIGN section 1, rule 10.

One data root lives through a story, as in test_rebuild.py.
"""

import pytest

from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at
from tests.test_rebuild import UNKNOWN, WithOverrides

HOURLY = ("--select", "+budget_status", "+budget_transitions")  # what hourly_budget_watch builds
OVERRIDE = """
prices:
  - provider: selfhosted
    model: acme-internal-7b
    from: 2026-01-01
    per_million_tokens: {input_tokens: 2, output_tokens: 5}
    source: a test
    approved_by: test@example.com
    recorded_at: 2026-11-22
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    pipeline = pipeline_at(tmp_path_factory.mktemp("verification") / "data")
    pipeline = Pipeline(WithOverrides(**vars(pipeline.settings)))
    lines = [
        event("plain", attempt=1),
        event("unknown", **UNKNOWN),
        event("big", inputTokens=90_000),
        event("other-day", "2026-11-19T10:00:00Z"),
    ]
    pipeline.land("a.jsonl", lines)
    pipeline.run()
    return pipeline


@pytest.fixture(scope="module")
def came_back(root) -> Pipeline:
    """A price comes, the hourly job builds the fact with it, the price goes, and the daily run builds the fact as it was."""
    override = root.settings.overrides / "acme.yml"
    override.parent.mkdir()
    override.write_text(OVERRIDE)
    root.build(*HOURLY, *WITHOUT_TESTS)
    override.unlink()
    root.run()
    return root


def test_tests_compare_models_over_the_same_dates(came_back):
    """The fact was built twice since it was verified, the marts not at all: they still tie, and the run was published."""
    assert came_back.ask("select pricing_status from fct_attempts where request_id = 'unknown'") == [("unpriced",)]
    assert came_back.inside("select count(*) from (from tokentrail.built except from tokentrail.verified)") == [(0,)]
