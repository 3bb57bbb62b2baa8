"""20 months of real requests: every line is counted, every attempt judged, and the sender's $9,990.01 moves none of our totals."""

import shutil
from decimal import Decimal

import pytest
from rich.console import Console

from orchestration.commands.report import REPORTED, print_report
from tests.pipeline import Pipeline, pipeline_at

LINES = 5_563
OUTLIER = Decimal("9990.01252875")


@pytest.fixture(scope="module")
def real(tmp_path_factory, shared_data) -> Pipeline:
    """The real landing files, loaded, priced, built and published as a user would."""
    root = tmp_path_factory.mktemp("real") / "data"
    shutil.copytree(shared_data / "landing_real", root / "landing", copy_function=shutil.copyfile)
    pipeline = pipeline_at(root)
    pipeline.run()
    return pipeline


def test_every_line_is_loaded_or_rejected(real):
    [(rows_in, loaded, rejected)] = real.inside(
        "select sum(rows_in), sum(rows_loaded), sum(rows_rejected) from staging.stg_loads"
    )
    assert (rows_in, loaded, rejected) == (LINES, LINES, 0)


def test_every_attempt_is_priced_unpriced_or_without_usage(real):
    statuses = dict(real.ask("select pricing_status, count(*) from fct_attempts group by 1"))
    assert statuses.keys() <= {"priced", "unpriced", "no_usage"}
    assert sum(statuses.values()) == LINES
    assert statuses["priced"] > 4_000


def test_every_unpriced_attempt_is_in_the_queue_with_its_model(real):
    [(unpriced,)] = real.ask("select count(*) from fct_attempts where pricing_status = 'unpriced'")
    assert real.ask("select sum(attempts) from unpriced_models") == [(unpriced,)]
    assert ("openrouter/REDACTED",) in real.ask("select model from unpriced_models")


def test_the_outlier_stands_out_in_the_comparison_and_moves_no_total(real):
    provider, model, _, ours, _, _, difference, largest = real.ask(REPORTED)[0]
    assert (provider, largest) == ("google", OUTLIER), f"{model} should lead the list"
    assert difference > Decimal(9_980)
    assert ours < 2
    [(dearest, total)] = real.ask("select max(cost_usd), sum(cost_usd) from fct_attempts")
    assert dearest < 5
    assert Decimal(100) < total < Decimal(400)


def test_the_report_shows_it_to_a_person(real, capsys):
    print_report(real.settings, Console(width=160, force_terminal=False))
    shown = capsys.readouterr().out
    assert "9,990.01" in shown
    assert "Alerts, open ones first" in shown
    assert "Models without a price" in shown
