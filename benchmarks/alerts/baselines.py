"""The simple monitors that the alerts are compared with, over the same facts: what a team would write in an afternoon.

Each watches the daily cost (with the likely exposure of unpriced calls, which flatters them) of the total and of every
endpoint, tenant, user and model, and fires on its most extreme series; one day is one alarm, however many series moved.
The cause is looked up as by hand: the endpoint, version, tenant, user or model with the largest dollar delta against the
same weekdays of the last four weeks.
"""

import duckdb
import numpy as np
import pandas as pd

from benchmarks.alerts.score import Outcome

DIMENSIONS = ("endpoint", "prompt_version", "tenant", "user", "model")
# Users are many and idle on most days: a threshold that suits them all suits the others less, so both are shown.
WATCHED = {
    "": ("total", "endpoint", "tenant", "user", "model"),
    ", no users": ("total", "endpoint", "tenant", "model"),
}
FLOOR = 0.015  # of a day's median spend: smaller excesses are nobody's problem; the alerts have the same floor
WEEKDAYS = np.array([7, 14, 21, 28])
DAILY = """
    with costs as (
        select
            fact.* exclude (cost_usd),
            coalesce(
                cost_usd::double,
                case when pricing_status = 'unpriced'
                then (input_tokens + coalesce(output_tokens, 0)) * exposure_usd_per_token end,
                0
            ) as usd
        from marts.fct_attempts as fact
        left join intermediate.int_exposure as exposure
            using (environment, data_mode, provider, model)
        where environment = 'prod' and data_mode = 'real'
    )
    select event_date::timestamp as date, dimension, value, sum(usd) as usd
    from (
        select event_date, usd, unnest(
            [{'dimension': 'total', 'value': 'total'}, {'dimension': 'endpoint', 'value': endpoint_tag},
             {'dimension': 'prompt_version', 'value': prompt_version}, {'dimension': 'tenant', 'value': tenant_id},
             {'dimension': 'user', 'value': user_id}, {'dimension': 'model', 'value': model}], recursive := true)
        from costs
    )
    group by all
"""


def outcomes(database: duckdb.DuckDBPyConnection, truth: dict) -> dict[str, Outcome]:
    """What each monitor raises in a world."""
    daily = database.execute(DAILY).df().pivot(index="date", columns=["dimension", "value"], values="usd")
    daily = daily.sort_index().sort_index(axis=1).fillna(0.0)
    usual = daily["total", "total"].rolling(28, min_periods=1).median().shift(1).to_numpy()
    causes = _causes(daily)
    found = {}
    for name, monitor in MONITORS.items():
        for narrowed, dimensions in WATCHED.items():
            series = daily.loc[:, daily.columns.get_level_values("dimension").isin(dimensions)]
            found[name + narrowed] = _outcome(truth, series, *monitor(series.to_numpy()), usual, causes)
    return found


def _back(usd: np.ndarray, days: np.ndarray) -> np.ndarray:
    """[day back, day, series]: the values so many days before; NaN where there were none."""
    moved = np.full((len(days), *usd.shape), np.nan)
    for place, back in enumerate(days):
        moved[place, back:] = usd[:-back]
    return moved


def _ratio(back: int):
    def monitor(usd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score and expected value."""
        before = _back(usd, np.array([back]))[0]
        least = 0.002 * np.nanmedian(usd.max(axis=1))  # a series that was nothing yesterday has no infinite ratio
        return (usd + least) / (before + least), before

    return monitor


def _deviation(days: np.ndarray):
    def monitor(usd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score and expected value."""
        before = _back(usd, days)
        mean, spread = before.mean(axis=0), before.std(axis=0, ddof=1)
        least = 0.002 * np.nanmedian(usd.max(axis=1))
        return (usd - mean) / np.maximum(spread, least), mean

    return monitor


MONITORS = {
    "yesterday ratio": _ratio(1),
    "last week ratio": _ratio(7),
    "z-score, 14 trailing days": _deviation(np.arange(1, 15)),
    "z-score, same weekdays": _deviation(WEEKDAYS),
}


def _causes(daily: pd.DataFrame) -> pd.DataFrame:
    """By day, the three largest dollar deltas of one dimension against the same weekdays."""
    segments = daily.loc[:, daily.columns.get_level_values("dimension").isin(DIMENSIONS)]
    delta = segments.to_numpy() - _back(segments.to_numpy(), WEEKDAYS).mean(axis=0)
    order = np.argsort(-np.nan_to_num(delta, nan=-np.inf), axis=1)[:, :3]
    names = segments.columns.to_frame(index=False)
    return pd.concat(
        [
            names.iloc[order[:, place]].assign(date=daily.index, rank=place + 1).rename(
                columns={"dimension": "driver_dimension", "value": "driver_value"}
            )
            for place in range(3)
        ],
        ignore_index=True,
    )  # fmt: skip


def _outcome(truth: dict, daily: pd.DataFrame, score, expected, usual, causes: pd.DataFrame) -> Outcome:
    """Every day and series whose excess is above the floor, as an alert; the score is its margin."""
    excess = daily.to_numpy() - expected
    day, series = np.nonzero((excess > FLOOR * usual[:, None]) & np.isfinite(score))
    names = daily.columns.to_frame(index=False).iloc[series].reset_index(drop=True)
    alerts = pd.DataFrame(
        {
            "alert_id": [f"{place}-{member}" for place, member in zip(day, series, strict=True)],
            "alert_type": "cost_drift",
            "alert_date": daily.index[day],
            "onset_date": daily.index[day],
            "environment": "prod",
            "data_mode": "real",
            "severity": "warning",
            "scope_dimension": names["dimension"],
            "scope_value": names["value"],
            "margin": score[day, series],
            "delta_usd": excess[day, series],
            "driver_delta_usd": np.nan,
            "spike_type": None,
            "token_direction": None,
            "episode": day,
        }
    )
    ranked = alerts[["alert_id", "alert_date"]].merge(causes, left_on="alert_date", right_on="date")
    first = ranked[ranked["rank"] == 1].rename(
        columns={"driver_dimension": "top_driver_dimension", "driver_value": "top_driver_value"}
    )
    alerts = alerts.merge(first[["alert_id", "top_driver_dimension", "top_driver_value"]], on="alert_id", how="left")
    return Outcome(truth, alerts, ranked[["alert_id", "rank", "driver_dimension", "driver_value"]])
