"""The names that calls have: those that hold a text, and those that are nearest to one that nobody has."""

from inbox.marts import Marts, Row

# Kind -> where its names are; the endpoint of a version is part of its address.
NAMES = {
    "endpoint": "select endpoint_tag as name, null as endpoint from dim_endpoints",
    "prompt_version": "select prompt_version as name, endpoint_tag as endpoint from dim_prompt_versions",
    "feature": "select distinct feature_tag as name, null as endpoint from cost_by_feature_daily",
    "tenant": "select tenant_id as name, null as endpoint from dim_tenants",
    "user": "select distinct user_id as name, null as endpoint from cost_by_user_daily",
    "provider": "select distinct provider as name, null as endpoint from dim_models",
    "model": "select distinct model as name, null as endpoint from dim_models",
}
EVERY = " union all ".join(f"(select '{kind}' as kind, * from ({names}))" for kind, names in NAMES.items())  # noqa: S608 - ours
CREATE = "create or replace table memory.main.{table} as {every}"
MATCHING = """
    select name, endpoint from memory.main.{table}
    where kind = $kind and contains(lower(name), lower($text)) and name <> '(unattributed)'
    order by lower(name) <> lower($text), not starts_with(lower(name), lower($text)), length(name), name, endpoint
    limit $most
"""
NEAREST = """
    select name, endpoint from memory.main.{table}
    where kind = $kind and name <> '(unattributed)' and jaro_winkler_similarity(lower(name), lower($text)) >= $like
    order by name <> $text, jaro_winkler_similarity(lower(name), lower($text)) desc, name, endpoint
    limit $most
"""
LIKE = 0.75  # of 1, which is the same name


def matching(marts: Marts, kind: str, text: str, most: int) -> list[Row]:
    """The names of a kind that hold a text, the likeliest first."""
    return marts.rows(MATCHING.format(table=_table(marts)), kind=kind, text=text, most=most)


def nearest(marts: Marts, kind: str, text: str, most: int) -> list[Row]:
    """The names of a kind that are written nearly so, the nearest first."""
    return marts.rows(NEAREST.format(table=_table(marts)), kind=kind, text=text, like=LIKE, most=most)


def _table(marts: Marts) -> str:
    """All names in memory: the users of a long history are in millions of rows, and are collected once for a publication."""
    publication = marts.publication
    with publication.lock:
        if "names" not in publication.kept:
            marts.rows(CREATE.format(table=publication.names, every=EVERY))
            publication.kept["names"] = publication.names
    return publication.names
