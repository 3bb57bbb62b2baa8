"""When incidents happen and which: the plan of a seed, balanced over kinds and sizes, before any endpoint is chosen."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from demo.world import DEMO_END, hour_shares, stream

# Thresholds may be tuned on the first range only; what is reported comes from the second. 5000 to 8029, 9000 to 9029 and 11010
# to 11075 were looked at, and so were 1000 to 1031, in an earlier simulator with eight kinds. They are seen. Both ranges deal out
# every kind at every size equally often.
TUNING_SEEDS = range(1005, 1035)
UNSEEN_SEEDS = range(11085, 11130)

DAYS, REQUESTS_PER_DAY = 84, 5_000
WARM_UP_DAYS = 28  # no incident starts in them: every method needs four weeks of history
SHARES = (0.03, 0.05, 0.10, 0.20, 0.40)  # of the normal prod/real spend of the onset day
INCIDENTS = 10  # in 56 days: more would leave no quiet weeks in which a false alarm could be counted


@dataclass(frozen=True)
class Kind:
    """A kind of incident: its spike type, how requests are disturbed (demo/incidents.py), and the sizes it can have."""

    spike_type: str
    mechanism: str
    shares: tuple[float, ...] = SHARES
    is_planned: bool = False


KINDS = {
    "volume": Kind("volume", "volume"),
    "abuse": Kind("abuse", "abuse"),
    "concentration": Kind("concentration", "concentration"),
    "retry": Kind("retry", "retry"),
    "deploy": Kind("deploy", "deploy"),
    "token": Kind("token", "token"),  # prompts and answers grow
    "input": Kind("token", "token"),
    "output": Kind("token", "token"),
    "cache": Kind("cache", "cache", (0.03, 0.05, 0.05, 0.10, 0.10)),  # losing all hits costs no more
    "new_route": Kind("price_mix", "price_mix"),  # to a model that is new at the endpoint, or to everybody
    "used_route": Kind("price_mix", "price_mix"),  # to a model that the endpoint uses already
    "price": Kind("price_mix", "price"),  # one token kind of a model costs more
    "unknown_model": Kind("unknown_model", "unknown_model"),
    "unknown_return": Kind("unknown_model", "unknown_model"),  # a model without a price that was seen in the warm-up
    "launch": Kind("volume", "volume", is_planned=True),  # expected by everybody: no incident
}
PILOT = "pilot"  # the first days of a model that returns later, in the warm-up; no incident
PILOT_SHARE = 0.05
CELLS = [(name, share) for name, kind in KINDS.items() for share in kind.shares]
ALONE = ("price",)  # concern every endpoint, so that nothing can overlap them
LEAST_LEFT = 0.4  # of the onset day's requests: what begins later costs less on that day than its share


@dataclass(frozen=True)
class Slot:
    """One incident to be: [start, end) with its kind and share; `pair` numbers overlapping incidents."""

    kind: str
    share: float
    start: datetime
    days: int
    pair: int | None

    @property
    def end(self) -> datetime:
        """The midnight after its last day."""
        return self.start.replace(hour=0) + timedelta(days=self.days)

    @property
    def spike_type(self) -> str:
        """What an alert about it should say."""
        return "unknown_model" if self.kind == PILOT else KINDS[self.kind].spike_type

    @property
    def mechanism(self) -> str:
        """The kind of the incident for demo/incidents.py."""
        return "unknown_model" if self.kind == PILOT else KINDS[self.kind].mechanism

    @property
    def left(self) -> float:
        """The part of the onset day's requests that is made after the start."""
        return float(1 - hour_shares("office")[: self.start.hour].sum())

    @property
    def wanted(self) -> float:
        """Of the onset day's normal spend, on that day: the share, unless it begins too late for that."""
        return self.share * min(1.0, self.left / LEAST_LEFT)

    @property
    def dates(self) -> list[date]:
        """The UTC days it touches."""
        return [self.start.date() + timedelta(days=place) for place in range(self.days)]


def first_day(seed: int, days: int) -> date:
    """Worlds end on different weekdays and days of the month."""
    return DEMO_END - timedelta(days=5 * seed % 28 + days - 1)


def slots(seed: int, days: int) -> list[Slot]:
    """The incidents of a seed in order of time: single ones some days apart, a quarter of them in overlapping pairs."""
    draw = stream(seed, "calendar")
    count = max(1, round(INCIDENTS * (days - WARM_UP_DAYS) / (DAYS - WARM_UP_DAYS)))
    pairs = min((1, 1, 1, 2)[seed % 4], count // 3)
    cells = _cells(seed, count, pairs, draw)
    blocks = [*range(pairs), *[None] * (count - 2 * pairs)]
    blocks = [blocks[place] for place in draw.permutation(len(blocks))]
    lengths = [_lengths(block, draw) for block in blocks]
    starts = _starts([max(offset + length for offset, length in block) for block in lengths], days, draw)
    paired, single, found = cells[: 2 * pairs], cells[2 * pairs :], []
    for block, members, start in zip(blocks, lengths, starts, strict=True):
        for member, (offset, length) in enumerate(members):
            kind, share = single.pop() if block is None else paired[2 * block + member]
            day = first_day(seed, days) + timedelta(days=WARM_UP_DAYS + start + offset)
            hour = 0 if draw.random() < 0.4 else int(draw.integers(1, 24 if length > 1 else 13))
            instant = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            found.append(Slot(kind, share, instant, length, block))
    pilots = [_pilot(seed, days, draw) for slot in found if slot.kind == "unknown_return"]
    return sorted(found + pilots, key=lambda slot: (slot.start, slot.kind))


def _pilot(seed: int, days: int, draw) -> Slot:
    day = first_day(seed, days) + timedelta(days=int(draw.integers(WARM_UP_DAYS - 14, WARM_UP_DAYS - 5)))
    return Slot(PILOT, PILOT_SHARE, datetime(day.year, day.month, day.day, tzinfo=UTC), int(draw.integers(1, 3)), None)


def _cells(seed: int, count: int, pairs: int, draw) -> list[tuple[str, float]]:
    """Consecutive seeds deal out the kind x share cells like a shuffled pack: each once before any comes again."""
    places = count * seed + np.arange(count)
    dealt = [CELLS[stream(place // len(CELLS), "pack").permutation(len(CELLS))[place % len(CELLS)]] for place in places]
    while True:
        mixed = [dealt[place] for place in draw.permutation(count)]
        kinds = [kind for kind, _ in mixed[: 2 * pairs]]
        if not set(kinds) & set(ALONE) and all(kinds[2 * pair] != kinds[2 * pair + 1] for pair in range(pairs)):
            return mixed


def _lengths(block: int | None, draw) -> list[tuple[int, int]]:
    """(days after the block's first, length in days) of its incidents."""
    if block is None:
        return [(0, int(draw.integers(1, 4)))]
    first = int(draw.integers(2, 4))
    return [(0, first), (int(draw.integers(0, first)), int(draw.integers(1, 4)))]


def _starts(spans: list[int], days: int, draw) -> list[int]:
    """First days of the blocks, counted from the end of the warm-up, at least two quiet days between them."""
    free = days - WARM_UP_DAYS - sum(spans) - 2 * (len(spans) - 1)
    gaps = draw.multinomial(max(free, 0), np.full(len(spans) + 1, 1 / (len(spans) + 1)))[:-1]
    return [sum(spans[:place]) + 2 * place + int(gaps[: place + 1].sum()) for place in range(len(spans))]
