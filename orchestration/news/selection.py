"""Which models a run builds, where it need not build them all: those that read what is new, and whatever reads them.

Read from dbt's manifest, so that a model is reached as soon as it has a `ref` or a `source`; nothing is listed by hand.
"""

from collections.abc import Collection, Mapping
from typing import Any

from orchestration.news.clock import NEXT
from orchestration.news.decision import News, found_new, note
from orchestration.news.inputs import READ_BY_MODELS, TEAM_TABLES
from orchestration.settings import Settings

# Kinds of inputs that reach the models through sources of dbt; a difference of another kind rebuilds everything.
SOURCES = {name: name for name in TEAM_TABLES} | {
    "raw": "raw",
    "price_book": "ledger.price_book",
    "set_aside": "ledger.set_aside",
}
# What a view says depends on more than the code where compiling it asks the warehouse or notes when it was built.
ASKED = {"macro.dbt.run_query", "macro.dbt.statement", "macro.tokentrail.now_utc"}
# They reach the models through what they are loaded into, or not at all.
WITHOUT_MODELS = {"landing", "team"}


def models_to_build(
    settings: Settings, run_id: str, covers: str, manifest: Mapping[str, Any], models: Collection[str]
) -> set[str] | None:
    """Names of those among `models` that what is new reaches; None for all of them.

    Called when a run is about to build: what changes afterwards is new to the next run.
    """
    note(settings, run_id, READ_BY_MODELS)
    new = found_new(settings, run_id, covers, models)
    roots = _roots(new, manifest)
    return None if roots is None else _names(_reached_from(roots, manifest), manifest) & set(models)


def views_that_stay(manifest: Mapping[str, Any], models: Collection[str]) -> set[str]:
    """Names of views among `models` that a run of the same code and settings would make as they are, which takes a second of each.

    They read models, no files, and no clock. What they show is new as soon as the tables behind them are.
    """
    return {
        node["name"]
        for node in manifest["nodes"].values()
        if node["name"] in models and node["config"]["materialized"] == "view"
        if node["name"] not in NEXT and not ASKED & _macros_of(node, manifest)
        if node["depends_on"]["nodes"] and not manifest["sources"].keys() & set(node["depends_on"]["nodes"])
    }


def _macros_of(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> set[str]:
    """Every macro that a node reaches."""
    reached, waiting = set[str](), list(node["depends_on"]["macros"])
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += manifest["macros"][one]["depends_on"]["macros"]
    return reached


def _roots(new: News, manifest: Mapping[str, Any]) -> set[str] | None:
    if set(new.changed) - SOURCES.keys() - WITHOUT_MODELS:
        return None
    changed = {SOURCES[kind] for kind in new.changed if kind in SOURCES}
    sources = {
        unique_id
        for unique_id, source in manifest["sources"].items()
        if changed & {source["source_name"], f"{source['source_name']}.{source['name']}"}
    }
    clocks = {unique_id for unique_id, node in manifest["nodes"].items() if node["name"] in new.due}
    return sources | clocks


def _reached_from(roots: set[str], manifest: Mapping[str, Any]) -> set[str]:
    reached, waiting = set[str](), list(roots)
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += manifest["child_map"].get(one, [])
    return reached


def _names(unique_ids: set[str], manifest: Mapping[str, Any]) -> set[str]:
    nodes = manifest["nodes"]
    return {nodes[each]["name"] for each in unique_ids if each in nodes and nodes[each]["resource_type"] == "model"}
