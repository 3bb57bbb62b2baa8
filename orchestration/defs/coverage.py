"""Whether a schedule has to start its job: nothing is run because of the hour alone."""

import dagster as dg

from orchestration.news import news
from orchestration.settings import Settings


def run_if_new(settings: Settings, covers: str) -> dg.RunRequest | dg.SkipReason:
    """What a schedule asks for: a run, or the sentence that says that nothing is new."""
    found = news(settings, covers)
    return dg.RunRequest() if found else dg.SkipReason(found.sentence)
