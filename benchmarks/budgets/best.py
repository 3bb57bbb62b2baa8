"""How early and how often the best possible detector alerts, by the number of calls in a period: `python -m benchmarks.budgets.best`.

It knows more than any detector can: the scope's rate of calls and the distribution of their costs, exactly. Only when the calls
come and what each costs is left to chance (Poisson, log-normal as in the benchmark). What is best to do at each moment and amount
spent, alert or wait, then follows by dynamic programming from the end of the period: an alert gains where the limit is exceeded
later, and costs where the period ends below 90 % of it. The price of the latter is what the curve runs along.
"""

import argparse
import sys
from statistics import NormalDist

import numpy as np

CELL = 0.01  # of the limit
WIDTH = 2048  # cells: twenty times the limit
STEPS = 48  # moments of a period
PRICES = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0)  # false alarms in detections
SPREADS = (0.6, 1.2)  # of the logarithms of costs, as in the benchmark
LEVELS = np.exp(np.linspace(np.log(0.1), np.log(12), 36))  # expected spend in limits
RATES = (0.6, 0.8, 1.0, 1.2, 1.4)
LIMIT = round(1 / CELL)


def curve(calls: float, is_batch: bool = False) -> list[tuple[float, float]]:
    """(share of periods below 90 % that are alerted, share of overspends alerted before), for each price, lowest share first.

    A batch comes at once, so that nothing but the past can tell.
    """
    steps = _batches(calls) if is_batch else _steps(calls)
    over, below = _ends()
    exceeds = [np.broadcast_to(over, (len(steps), WIDTH))]
    ends_low = [np.broadcast_to(below, (len(steps), WIDTH))]
    for _ in range(1 if is_batch else STEPS):
        exceeds.append(_expected(exceeds[-1], steps))
        ends_low.append(_expected(ends_low[-1], steps))
    found = []
    for price in PRICES:
        hit, false = _best(exceeds, ends_low, steps, price)
        found.append((false / ends_low[-1][:, 0].sum(), hit / exceeds[-1][:, 0].sum()))
    return sorted(found)


def _best(exceeds: list, ends_low: list, steps: np.ndarray, price: float) -> tuple[float, float]:
    """How much is detected and alerted in error by whoever does the best at each moment."""
    value, hit, false = (np.zeros((len(steps), WIDTH)) for _ in range(3))
    for left in range(1, len(exceeds)):
        if left > 1:
            value, hit, false = (_expected(each, steps) for each in (value, hit, false))
        gain = exceeds[left] - price * ends_low[left]
        alerts = gain > np.maximum(value, 0)
        value = np.where(alerts, gain, value)
        hit, false = np.where(alerts, exceeds[left], hit), np.where(alerts, ends_low[left], false)
        for each in (value, hit, false):
            each[:, LIMIT + 1 :] = 0  # too late
    return hit[:, 0].sum(), false[:, 0].sum()


def _ends() -> tuple[np.ndarray, np.ndarray]:
    """What counts as exceeded and as below 90 %, with the benchmark's weights of where periods end."""
    share = np.arange(WIDTH) * CELL
    usual = (share >= 0.35) & (share <= 2)
    far = (share > 2) & (share <= 5)
    weight = np.where(usual, 0.9 / np.log(2 / 0.35), np.where(far, 0.1 / np.log(2.5), 0))
    return weight * (share > 1 + CELL / 2), weight * (share < 0.9 - CELL / 2)


def _steps(calls: float) -> np.ndarray:
    """The spectrum of what is spent in a step, for each scope: any number of calls."""
    scopes = [(calls * rate, spread, level) for rate in RATES for spread in SPREADS for level in LEVELS]
    return np.array([np.exp(mean / STEPS * (_call(level / mean, spread) - 1)) for mean, spread, level in scopes])


def _batches(calls: float) -> np.ndarray:
    return np.array([_call(level / calls, spread) ** round(calls) for spread in SPREADS for level in LEVELS])


def _call(mean: float, spread: float) -> np.ndarray:
    """The spectrum of the cost of one call, in cells, with its mean kept."""
    normal = NormalDist()
    costs = np.exp(spread * np.array([normal.inv_cdf((place + 0.5) / 4000) for place in range(4000)]))
    cells = np.minimum(costs * mean / costs.mean() / CELL, WIDTH - 2)
    low = np.floor(cells).astype(int)
    likely = np.bincount(low, 1 - (cells - low), WIDTH) + np.bincount(low + 1, cells - low, WIDTH)
    return np.fft.rfft(likely / likely.sum())


def _expected(value: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """What a value is worth a step earlier; beyond five limits nothing counts."""
    found = np.fft.irfft(np.fft.rfft(value, axis=1) * np.conj(steps), WIDTH, axis=1)
    found[:, round(5.6 / CELL) :] = 0
    return found


def main(arguments: list[str] | None = None) -> int:
    """Prints, for each number of calls, what can be detected with so many false alarms."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets.best", description=__doc__)
    parser.add_argument("--calls", nargs="+", type=float, default=[2, 10, 14, 40, 60], help="in a period")
    parser.add_argument("--batch", nargs="+", type=float, default=[10], help="in the only batch of a period")
    chosen = parser.parse_args(arguments)
    sys.stdout.write("| calls in the period | 0.5 % in error | 1 % | 2 % | 5 % |\n| --- | --- | --- | --- | --- |\n")
    for calls, is_batch in [(calls, False) for calls in chosen.calls] + [(calls, True) for calls in chosen.batch]:
        false, hit = zip(*curve(calls, is_batch), strict=True)
        cells = (f"{np.interp(share, false, hit):.0%}" for share in (0.005, 0.01, 0.02, 0.05))
        sys.stdout.write(f"| {calls:g}{' at once' if is_batch else ''} | {' | '.join(cells)} |\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
