"""Which models a job covers, and whether a schedule has to start it: nothing is run because of the hour alone."""

import dagster as dg

from orchestration.defs.raw import set_aside_ledger
from orchestration.defs.transform import warehouse_models
from orchestration.news import EVERYTHING, news
from orchestration.settings import Settings


def and_upstream(*models: str) -> set[dg.AssetKey]:
    """Models, and everything that a run can make of what they are made of."""
    keys = {dg.AssetKey(model) for model in models}
    while more := {dep for key in keys for dep in warehouse_models.asset_deps.get(key, ())} - keys:
        keys |= more
    return keys - {set_aside_ledger.key}


BUDGET_MODELS = and_upstream("budget_status", "budget_transitions", "source_freshness", "source_silences")


def models_of(covers: str) -> set[str]:
    """Names of the models that a run over so much builds."""
    keys = warehouse_models.keys if covers == EVERYTHING else warehouse_models.keys & BUDGET_MODELS
    return {key.to_user_string() for key in keys}


def run_if_new(settings: Settings, covers: str) -> dg.RunRequest | dg.SkipReason:
    """What a schedule asks for: a run, or the sentence that says that nothing is new."""
    found = news(settings, covers, models_of(covers))
    return dg.RunRequest() if found else dg.SkipReason(found.sentence)
