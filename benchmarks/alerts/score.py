"""Scores alerts against the truth of labelled worlds; the simple monitors of baselines.py are scored by the same code.

- **Detected the same day**: an alert (prod/real, delta above zero, severity above info) is dated to the incident's onset
  day and is about it: no other incident is active that day, or the alert's driver or scope names the endpoint, version,
  tenant, user or model of this one (and no other endpoint). What began so late that its first day cost less than the
  smallest incident (SMALLEST) is counted apart, by the next day.
- **Planned launches** count neither as incidents nor, with an alert, as false alarms: they are counted apart.
- **False alarm**: such an alert whose [onset_date, alert_date] touches no incident's [onset, end + 1 day], dated after
  the warm-up. One can only be counted on a day that no incident touches, so the rate is per week of those days.
- **Threshold**: the smallest margin (z / threshold of the alert) at which false alarms stay within the budget. An alert
  without a z (a new or unknown model) has no margin and is always kept.
- **Driver, spike type, direction of tokens, dollars**: of incidents detected the same day that cost at least 5 % on it,
  judged by the alert about it with the largest delta. By kind of incident too: kinds of one spike type are distinguished.
- Intervals: 90 %, by drawing seeds again, at the threshold found on all of them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.alerts.calendar import SHARES, WARM_UP_DAYS
from benchmarks.alerts.drivers import PUBLISHED

BUDGETS = (1.0, 0.5, 0.25)  # false alarms a week
LEAST_SHARE = 0.05  # of the incidents whose driver and spike type are judged
SMALLEST, HIT = min(SHARES), 0.8  # an incident is as large as it should be within a fifth
DRAWS, TAILS = 1_000, (5, 95)
DAY = pd.Timedelta(days=1)
NAMES = tuple(PUBLISHED.values())
ALERTS = """
    select
        alert_id, alert_id as episode, alert_type, alert_date::timestamp as alert_date,
        onset_date::timestamp as onset_date, environment, data_mode, severity, scope_dimension, scope_value,
        coalesce(z / nullif(threshold, 0), 'infinity'::double)::double as margin, delta_usd::double as delta_usd,
        top_driver_delta_usd::double as driver_delta_usd, spike_type, token_direction, top_driver_dimension, top_driver_value
    from marts.alerts
"""
DRIVERS = "select alert_id, rank, driver_dimension, driver_value from marts.alert_drivers"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was raised in a world, and its truth. `episode`: what counts as one false alarm (an alert, or a day)."""

    truth: dict
    alerts: pd.DataFrame
    drivers: pd.DataFrame

    @classmethod
    def read(cls, database: duckdb.DuckDBPyConnection, truth: dict | Path) -> "Outcome":
        """From a connection with marts.alerts and marts.alert_drivers, and the truth or its file."""
        truth = json.loads(Path(truth).read_text()) if isinstance(truth, Path) else truth
        return cls(truth, database.execute(ALERTS).df(), database.execute(DRIVERS).df())


@dataclass(frozen=True)
class Figure:
    """A share or a median with its 90 % interval, and of how many."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f}, {self.count})" if self.count else "none"


@dataclass(frozen=True)
class AtBudget:
    """Recall where false alarms stay within a budget. Rates are per week without incidents, and per week of any kind."""

    margin: float
    false_alarms_per_quiet_week: float
    false_alarms_per_week: float
    same_day: Figure
    next_day: Figure
    by_kind: dict[str, Figure]
    by_share: dict[float, Figure]
    late: Figure  # begun late in the day, found by the next


@dataclass(frozen=True)
class Scores:
    """What is published. Drivers, dollars and the rest: at the first budget."""

    recall: dict[float, AtBudget]
    drivers: dict[str, dict[str, Figure]]  # all, single, overlapping: top_1, top_3, spike_type_right
    kinds: dict[str, dict[str, Figure]]  # kind of incident: the same, and of token kinds direction_right
    planned: tuple[int, int]  # launches with an alert, launches
    dollar_error: Figure  # of all that changed in the alert's scope
    driver_dollar_error: Figure  # of what its driver explains
    alerts_per_incident: Figure
    outside: int
    negatives: dict[str, tuple[int, int]]  # kind: fired, labelled


def score(outcomes: list[Outcome]) -> Scores:
    """Every figure over the worlds."""
    facts = _facts(outcomes)
    recall = {budget: _at_budget(facts, budget) for budget in BUDGETS}
    margin = recall[BUDGETS[0]].margin
    judged = _judged(facts, margin)
    raised = facts.about[facts.about["margin"] >= margin].groupby(["seed", "name"])["episode"].nunique()
    told = facts.incidents[~facts.incidents["is_planned"]]
    raised_by = facts.incidents.join(raised.rename("raised"), on=["seed", "name"]).fillna({"raised": 0})
    launches = raised_by.loc[raised_by["is_planned"], "raised"]
    raised = raised_by.loc[~raised_by["is_planned"], "raised"]
    return Scores(
        recall=recall,
        drivers={
            group: {
                what: _share(rows[what], rows["seed"], facts.seeds) for what in ("top_1", "top_3", "spike_type_right")
            }
            for group, rows in (
                ("all", judged),
                ("single", judged[~judged["overlapping"]]),
                ("overlapping", judged[judged["overlapping"]]),
            )
        },
        kinds={
            kind: {
                what: _share(part[what].dropna(), part.loc[part[what].notna(), "seed"], facts.seeds)
                for what in ("top_1", "top_3", "spike_type_right", "direction_right")
            }
            for kind, part in judged.groupby("kind")
        },
        planned=(int((launches > 0).sum()), len(launches)),
        dollar_error=_median(judged["dollar_error"], judged["seed"], facts.seeds),
        driver_dollar_error=_median(judged["driver_dollar_error"], judged["seed"], facts.seeds),
        alerts_per_incident=_share(raised, told["seed"], facts.seeds),
        outside=len(facts.outside),
        negatives=_negatives(facts, margin),
    )


# ---- facts: one frame each


@dataclass(frozen=True, eq=False)
class Facts:
    """`about`: alert x incident pairs within [onset, end + 1 day]; `false`: false alarms; days are timestamps."""

    seeds: list[int]
    incidents: pd.DataFrame
    negatives: pd.DataFrame
    about: pd.DataFrame
    false: pd.DataFrame
    parts: pd.DataFrame
    drivers: pd.DataFrame
    outside: pd.DataFrame
    quiet_weeks: float
    weeks: float


def _facts(outcomes: list[Outcome]) -> Facts:
    incidents = pd.concat([_incidents(each.truth) for each in outcomes], ignore_index=True)
    negatives = pd.concat([_labelled(each.truth) for each in outcomes], ignore_index=True)
    alerts = pd.concat([each.alerts.assign(seed=each.truth["world"]["seed"]) for each in outcomes], ignore_index=True)
    drivers = pd.concat([each.drivers.assign(seed=each.truth["world"]["seed"]) for each in outcomes], ignore_index=True)
    inside = (alerts["environment"] == "prod") & (alerts["data_mode"] == "real")
    counted = alerts[inside & (alerts["severity"] != "info") & (alerts["delta_usd"] > 0)]
    parts, days = _parts(counted), _days(outcomes, incidents)
    starts = {each.truth["world"]["seed"]: _judged_from(each.truth) for each in outcomes}
    false = counted[counted["alert_date"] >= counted["seed"].map(starts)]
    return Facts(
        seeds=sorted(days["seed"].unique()),
        incidents=incidents,
        negatives=negatives,
        about=_about(counted, incidents, parts, days),
        false=_touching_none(false, incidents),
        parts=parts,
        drivers=drivers,
        outside=alerts[~inside],
        quiet_weeks=float((days["touched"] == 0).sum() / 7),
        weeks=len(days) / 7,
    )


def _judged_from(truth: dict) -> pd.Timestamp:
    return pd.Timestamp(truth["world"]["first"]) + WARM_UP_DAYS * DAY


def _incidents(truth: dict) -> pd.DataFrame:
    rows = pd.DataFrame(truth["incidents"] + truth["planned"]).assign(seed=truth["world"]["seed"])
    rows["is_planned"] = rows["is_planned"].astype(bool)
    for column in ("onset_date", "end_date"):
        rows[column] = pd.to_datetime(rows[column])
    rows["right"] = [
        {description(*each) for each in [[dimension, value], *others]}
        for dimension, value, others in zip(
            rows["driver_dimension"], rows["driver_value"], rows["equivalents"], strict=True
        )
    ]
    return rows


def _labelled(truth: dict) -> pd.DataFrame:
    rows = pd.DataFrame(truth["negatives"], columns=["kind", "from", "to", "scope"])
    rows["from"], rows["to"] = pd.to_datetime(rows["from"]), pd.to_datetime(rows["to"])
    return rows.assign(seed=truth["world"]["seed"], negative=np.arange(len(rows)))


def description(dimension: str | None, value: str | None) -> frozenset[tuple[str, str]]:
    """A published driver as a set of (dimension, value): the order in which it names them does not matter."""
    if not isinstance(dimension, str) or not isinstance(value, str):
        return frozenset()
    return frozenset(zip(dimension.split(" x "), value.split(" | "), strict=False))


def _parts(alerts: pd.DataFrame) -> pd.DataFrame:
    """What alerts name, by part: of their driver and of their scope."""
    found = [
        alerts[["seed", "alert_id"]].assign(
            of=of, part=[list(description(*pair)) for pair in zip(alerts[dimension], alerts[value], strict=True)]
        )
        for of, dimension, value in (
            ("driver", "top_driver_dimension", "top_driver_value"),
            ("scope", "scope_dimension", "scope_value"),
        )
    ]
    rows = pd.concat(found, ignore_index=True).explode("part").dropna(subset="part")
    return rows.assign(
        dimension=[part[0] for part in rows["part"]], value=[part[1] for part in rows["part"]]
    ).drop(columns="part")  # fmt: skip


def _days(outcomes: list[Outcome], incidents: pd.DataFrame) -> pd.DataFrame:
    """The days after the warm-up: how many incidents are active, and how many touch the day or end the day before."""
    days = pd.concat(
        [
            pd.DataFrame({"date": pd.date_range(_judged_from(each.truth), each.truth["world"]["last"])}).assign(
                seed=each.truth["world"]["seed"]
            )
            for each in outcomes
        ]
    )
    pairs = days.merge(incidents[["seed", "onset_date", "end_date"]], on="seed", how="left")
    begun = pairs["date"] >= pairs["onset_date"]
    pairs["active"] = begun & (pairs["date"] <= pairs["end_date"])
    pairs["touched"] = begun & (pairs["date"] <= pairs["end_date"] + DAY)
    return pairs.groupby(["seed", "date"], as_index=False)[["active", "touched"]].sum()


def _about(alerts: pd.DataFrame, incidents: pd.DataFrame, parts: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Pairs of alert and incident: the alert is dated within [onset, end + 1 day] and is about the incident."""
    pairs = alerts.merge(incidents, on="seed", suffixes=("", "_incident"))
    pairs = pairs[pairs["alert_date"].between(pairs["onset_date_incident"], pairs["end_date"] + DAY)]
    active = days.set_index(["seed", "date"])["active"]
    here = pd.MultiIndex.from_frame(pairs[["seed", "alert_date"]])
    others = active.reindex(here).fillna(0).to_numpy() - (pairs["alert_date"] <= pairs["end_date"]).to_numpy()
    fits = pd.MultiIndex.from_frame(pairs[["seed", "alert_id", "name"]]).isin(_fitting(parts, incidents))
    late = (pairs["alert_date"] - pairs["onset_date_incident"]).dt.days
    return pairs.assign(late=late)[(others == 0) | fits]


def _fitting(parts: pd.DataFrame, incidents: pd.DataFrame) -> pd.MultiIndex:
    """(seed, alert, incident) where the alert names a part of the incident, and its driver no other endpoint."""
    homes = incidents.assign(home=incidents["endpoint"])  # a column of its own: what is melted is no longer there
    named = homes.melt(["seed", "name", "home"], list(NAMES), "dimension").dropna(subset="value")
    same = parts.merge(named, on=["seed", "dimension", "value"])[["seed", "alert_id", "name", "home"]]
    driver = parts[(parts["of"] == "driver") & (parts["dimension"] == "endpoint")]
    same = same.merge(driver[["seed", "alert_id", "value"]], on=["seed", "alert_id"], how="left")
    elsewhere = same["value"].notna() & same["home"].notna() & (same["value"] != same["home"])
    return pd.MultiIndex.from_frame(same.loc[~elsewhere, ["seed", "alert_id", "name"]].drop_duplicates())


def _touching_none(alerts: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    alerts = alerts.assign(onset_date=alerts[["onset_date", "alert_date"]].min(axis=1))
    pairs = alerts.merge(incidents[["seed", "onset_date", "end_date"]], on="seed", suffixes=("", "_incident"))
    touching = pairs[
        (pairs["onset_date"] <= pairs["end_date"] + DAY) & (pairs["alert_date"] >= pairs["onset_date_incident"])
    ]
    keys = ["seed", "alert_id"]
    return alerts[~pd.MultiIndex.from_frame(alerts[keys]).isin(pd.MultiIndex.from_frame(touching[keys]))]


# ---- figures


def _at_budget(facts: Facts, budget: float) -> AtBudget:
    margin, weeks = threshold(facts.false, budget * facts.quiet_weeks), max(facts.quiet_weeks, 1e-9)
    false = facts.false[facts.false["margin"] >= margin].groupby(["seed", "episode"]).ngroups
    found = facts.about[facts.about["margin"] >= margin]
    soonest = found.groupby(["seed", "name"])["late"].min().rename("late")
    rows = facts.incidents.join(soonest, on=["seed", "name"])
    rows = rows[~rows["is_planned"]].assign(same_day=rows["late"] == 0, next_day=rows["late"] <= 1)
    is_small = rows["achieved_share"] < HIT * SMALLEST
    late, rows = rows[is_small], rows[~is_small]

    def recall(part: pd.DataFrame, what: str = "same_day") -> Figure:
        return _share(part[what], part["seed"], facts.seeds)

    return AtBudget(
        margin=margin,
        false_alarms_per_quiet_week=false / weeks,
        false_alarms_per_week=false / facts.weeks,
        same_day=recall(rows),
        next_day=recall(rows, "next_day"),
        by_kind={kind: recall(part) for kind, part in rows.groupby("kind")},
        by_share={share: recall(part) for share, part in rows.groupby(_nearest_share(rows["achieved_share"]))},
        late=recall(late, "next_day"),
    )


def _nearest_share(achieved: pd.Series) -> np.ndarray:
    """Of SHARES, the one that an incident really had on its first day."""
    distance = np.abs(np.log(achieved.to_numpy(dtype=float)[:, None] / np.array(SHARES)))
    return np.array(SHARES)[distance.argmin(axis=1)]


def threshold(false: pd.DataFrame, allowed: float) -> float:
    """The smallest margin above which at most `allowed` false alarms remain; their episodes count once."""
    episodes = false.groupby(["seed", "episode"])["margin"].max().sort_values(ascending=False).to_numpy()
    if len(episodes) <= allowed:
        return -np.inf
    return float(np.nextafter(episodes[int(allowed)], np.inf))


def _judged(facts: Facts, margin: float) -> pd.DataFrame:
    """Incidents detected the same day, of at least LEAST_SHARE: was the largest alert about them right?"""
    found = facts.about[(facts.about["margin"] >= margin) & (facts.about["late"] == 0)]
    found = found[~found["is_planned"] & (found["achieved_share"] >= HIT * LEAST_SHARE)]
    found = found.sort_values("delta_usd", ascending=False)
    rows = found.drop_duplicates(["seed", "name"]).reset_index(drop=True)
    ranked = facts.drivers[facts.drivers["rank"] <= 3].merge(
        rows[["seed", "alert_id", "right"]], on=["seed", "alert_id"]
    )
    hit = [
        description(dimension, value) in right
        for dimension, value, right in zip(
            ranked["driver_dimension"], ranked["driver_value"], ranked["right"], strict=True
        )
    ]
    in_three = pd.MultiIndex.from_frame(ranked.loc[np.array(hit, dtype=bool), ["seed", "alert_id"]])
    tops = zip(rows["top_driver_dimension"], rows["top_driver_value"], rows["right"], strict=True)
    rows["top_1"] = [description(dimension, value) in right for dimension, value, right in tops]
    rows["top_3"] = rows["top_1"] | pd.MultiIndex.from_frame(rows[["seed", "alert_id"]]).isin(in_three)
    rows["spike_type_right"] = [
        kind in kinds for kind, kinds in zip(rows["spike_type"], rows["spike_types"], strict=True)
    ]
    told = rows["token_direction_incident"].notna()
    rows["direction_right"] = np.where(
        told, (rows["token_direction"] == rows["token_direction_incident"]).astype(float), np.nan
    )
    days = zip(rows["extra_cost_usd"], rows["alert_date"].dt.strftime("%Y-%m-%d"), strict=True)
    extra = np.array([extra.get(day, np.nan) for extra, day in days], dtype=float)
    rows["dollar_error"] = np.abs(rows["delta_usd"].to_numpy(dtype=float) / extra - 1)
    rows["driver_dollar_error"] = np.abs(rows["driver_delta_usd"].to_numpy(dtype=float) / extra - 1)
    return rows


def _negatives(facts: Facts, margin: float) -> dict[str, tuple[int, int]]:
    """Of each kind of hard negative: how many coincide with a false alarm about them, and how many there are."""
    false = facts.false[facts.false["margin"] >= margin]
    pairs = facts.negatives.merge(false, on="seed")
    pairs = pairs[(pairs["onset_date"] <= pairs["to"]) & (pairs["alert_date"] >= pairs["from"])]
    scopes = [
        [(PUBLISHED[name], value) for name, value in scope.items() if name in PUBLISHED]
        for scope in facts.negatives["scope"]
    ]
    scoped = facts.negatives[["seed", "negative"]].assign(part=scopes).explode("part")
    everything = pd.MultiIndex.from_frame(scoped.loc[scoped["part"].isna(), ["seed", "negative"]])
    scoped = scoped.dropna(subset="part")
    scoped = scoped.assign(dimension=scoped["part"].str[0], value=scoped["part"].str[1])
    same = scoped.merge(facts.parts, on=["seed", "dimension", "value"])[["seed", "negative", "alert_id"]]
    fits = pd.MultiIndex.from_frame(pairs[["seed", "negative"]]).isin(everything)
    fits |= pd.MultiIndex.from_frame(pairs[["seed", "negative", "alert_id"]]).isin(pd.MultiIndex.from_frame(same))
    fired = pairs[fits].drop_duplicates(["seed", "negative"])["kind"].value_counts()
    return {
        kind: (int(fired.get(kind, 0)), int(count)) for kind, count in facts.negatives["kind"].value_counts().items()
    }


def _share(hits: pd.Series, seed: pd.Series, seeds: list[int]) -> Figure:
    """A mean over rows, with the interval from drawing whole worlds again."""
    rows = pd.DataFrame({"seed": seed.to_numpy(), "hit": hits.to_numpy(dtype=float)}).groupby("seed")["hit"]
    sums, counts = (each.reindex(seeds).fillna(0).to_numpy() for each in (rows.sum(), rows.count()))
    if not counts.sum():
        return Figure(np.nan, np.nan, np.nan, 0)
    drawn = np.random.default_rng(0).integers(0, len(seeds), (DRAWS, len(seeds)))
    totals = counts[drawn].sum(axis=1)
    shares = sums[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    low, high = np.percentile(shares, TAILS)
    return Figure(float(sums.sum() / counts.sum()), float(low), float(high), int(counts.sum()))


def _median(values: pd.Series, seed: pd.Series, seeds: list[int]) -> Figure:
    rows = pd.DataFrame({"seed": seed.to_numpy(), "value": values.to_numpy(dtype=float)}).dropna()
    if rows.empty:
        return Figure(np.nan, np.nan, np.nan, 0)
    groups = {seed: part["value"].to_numpy() for seed, part in rows.groupby("seed")}
    drawn = np.random.default_rng(0).choice(np.array(seeds), (DRAWS, len(seeds)))
    empty = np.empty(0)
    samples = [np.concatenate([groups.get(seed, empty) for seed in row]) for row in drawn]
    medians = [np.median(sample) for sample in samples if len(sample)]
    low, high = np.percentile(medians, TAILS)
    return Figure(float(np.median(rows["value"])), float(low), float(high), len(rows))
