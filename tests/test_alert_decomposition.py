"""Why a cost changed, exactly: hundreds of problems, drawn and by hand, through the real model in one run of dbt."""

import random
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, localcontext
from itertools import permutations, product

import duckdb
import pytest

from orchestration.dbt import run_dbt
from tests.pipeline import pipeline_at

DAY = "2026-11-20"
EFFECTS = {"volume", "mix", "retry", "token", "price", "unpriced"}
LAST_UNIT = Decimal("0.000000000001")
EXACT = Context(prec=60)  # effects of huge numbers have more digits than Python keeps by itself


@dataclass(frozen=True)
class Side:
    """What a leaf did on one side: requests, attempts, tokens, priced dollars and the likely cost of unpriced calls."""

    requests: float = 0
    attempts: float = 0
    tokens: float = 0
    cost_usd: Decimal = Decimal(0)
    exposure_usd: Decimal = Decimal(0)

    def times(self, factor: int, *names: str) -> "Side":
        return replace(self, **{name: getattr(self, name) * factor for name in names})


def side(requests: float, attempts_per_request: float = 1, tokens_per_attempt: float = 100, per_token: str = "0.01"):
    """By its four factors; a plain request costs one dollar."""
    attempts = requests * attempts_per_request
    tokens = attempts * tokens_per_attempt
    return Side(requests, attempts, tokens, Decimal(tokens) * Decimal(per_token))


NOTHING = Side()
Problem = list[tuple[Side, Side]]  # (baseline, current) of each leaf


def some_side(dice: random.Random) -> Side:
    """Anything that usage can be: expensive and cheap, one call or a billion, failed, unpriced, a retry without its request."""
    requests = dice.choice([0, 1, 7.25, dice.randrange(1, 1000), dice.randrange(10**9)])
    attempts = requests + dice.choice([0, 0, 0.75, dice.randrange(50)])
    tokens = attempts * dice.choice([0, 1, 812.5, 100_000])
    cost = Decimal(dice.randrange(10**6)) * dice.choice([0, LAST_UNIT, Decimal("0.000001"), Decimal("0.01"), 1000])
    exposure = dice.choice([0, 0, dice.randrange(10**6)]) * Decimal("0.000123")
    return Side(requests, attempts, tokens, cost if attempts else Decimal(0), exposure)


def used_side(dice: random.Random) -> Side:
    """A priced leaf whose every factor is above zero."""
    requests = dice.randrange(1, 10_000)
    attempts = requests + dice.randrange(100)
    return Side(requests, attempts, attempts * dice.randrange(1, 5000), Decimal(dice.randrange(1, 10**9)) / 10_000)


def some_problem(dice: random.Random) -> Problem:
    leaves = dice.choice([1, 2, 2, 5, 40])
    return [
        (some_side(dice), some_side(dice)) if dice.random() < 0.7 else dice.choice([(NOTHING, some_side(dice)), (some_side(dice), NOTHING)])
        for _ in range(leaves)
    ]  # fmt: skip


def doubled(dice: random.Random, *names: str) -> Problem:
    before = [used_side(dice) for _ in range(dice.randrange(1, 6))]
    return [(each, each.times(2, *names)) for each in before]


def shifted(dice: random.Random) -> Problem:
    """Two leaves at their own rates; some requests of the one go to the other."""
    rates = [(dice.choice([1, 2]), dice.randrange(1, 9), dice.choice(["0.5", "0.25", "0.125"])) for _ in range(2)]
    first, second, moved = dice.randrange(100, 1000), dice.randrange(100, 1000), dice.randrange(1, 100)
    return [
        (side(first, *rates[0]), side(first - moved, *rates[0])),
        (side(second, *rates[1]), side(second + moved, *rates[1])),
    ]


DRAWN = {
    "anything": some_problem,
    "volume": lambda dice: doubled(dice, "requests", "attempts", "tokens", "cost_usd"),
    "retry": lambda dice: doubled(dice, "attempts", "tokens", "cost_usd"),
    "token": lambda dice: doubled(dice, "tokens", "cost_usd"),
    "price": lambda dice: doubled(dice, "cost_usd"),
    "mix": shifted,
}
EACH = {"anything": 300} | dict.fromkeys(("volume", "retry", "token", "price", "mix"), 40)

BY_HAND = {
    # 100 -> 200 requests, and the share of the leaf of two dollars goes from 0.60 to 0.75
    "volume and mix": [(side(60, 1, 200), side(150, 1, 200)), (side(40), side(50))],
    "requests and attempts double": [(side(10), side(20, attempts_per_request=2))],
    "all four factors double": [(side(10), side(20, 2, 200, "0.02"))],
    "a new leaf": [(side(50), side(50)), (NOTHING, side(50, 2, 300))],
    "a leaf is gone": [(side(50), side(50)), (side(50, 2, 300), NOTHING)],
    "a retry of a request that was made elsewhere": [(side(5), side(5)), (NOTHING, Side(0, 3, 300, Decimal(3)))],
    "a model without a price": [(NOTHING, Side(10, 10, 1000, Decimal(0), Decimal(8))), (side(10), side(10))],
    "nothing changed": [(side(7, 2, 31), side(7, 2, 31))],
    "failed calls only": [(NOTHING, Side(9, 12, 0)), (side(9), side(18))],
}


@dataclass
class Explained:
    """What the model said of a problem."""

    delta_usd: Decimal | None = None
    effects: dict[str, Decimal] = field(default_factory=dict)

    def moved(self) -> dict[str, Decimal]:
        return {effect: usd for effect, usd in self.effects.items() if usd}


@pytest.fixture(scope="module")
def problems() -> dict[str, Problem]:
    dice = random.Random(20261124)
    drawn = {f"{kind} {number}": draw(dice) for kind, draw in DRAWN.items() for number in range(EACH[kind])}
    return BY_HAND | drawn


@pytest.fixture(scope="module")
def explained(problems, tmp_path_factory) -> dict[tuple[str, bool], Explained]:
    """By name and whether its sides were swapped."""
    settings = pipeline_at(tmp_path_factory.mktemp("decomposition") / "data").settings
    (settings.state / "spill").mkdir(parents=True)
    cases = [(name, swapped) for name in problems for swapped in (False, True)]
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute(TABLES)
        rows = [row for place, case in enumerate(cases) for row in leaf_rows(place, problems[case[0]], case[1])]
        warehouse.execute(
            "insert into intermediate.int_problem_leaves by name select unnest(?::leaf[], recursive := true)", [rows]
        )
    run_dbt(settings, "run", "--quiet", "--select", "int_problem_effects")
    found = {case: Explained() for case in cases}
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        sql = "select round, effect, effect_usd, delta_usd from intermediate.int_problem_effects"
        for place, effect, effect_usd, delta_usd in warehouse.execute(sql).fetchall():
            case = found[cases[place]]
            case.effects[effect], case.delta_usd = effect_usd, delta_usd
    return found


MEASURES = ("requests", "attempts", "tokens", "cost_usd", "exposure_usd")
COLUMNS = ", ".join(
    f"{which}_{name} {'decimal(38, 12)' if name.endswith('usd') else 'double'}"
    for which in ("baseline", "current")
    for name in MEASURES
)
TABLES = f"""
    create schema intermediate;
    create table intermediate.alert_signal_days as select date '{DAY}' as event_date, 'drawn' as input_fingerprint;
    create type leaf as struct(round integer, endpoint_tag varchar, {COLUMNS});
    create table intermediate.int_problem_leaves (
        event_date date default date '{DAY}', environment varchar default 'prod', data_mode varchar default 'real', round integer,
        endpoint_tag varchar, prompt_version varchar default 'v1', tenant_id varchar default 'acme', user_id varchar default 'u-1',
        model varchar default 'm', {COLUMNS}
    );
"""


def leaf_rows(place: int, problem: Problem, swapped: bool) -> list[dict]:
    return [
        {"round": place, "endpoint_tag": f"endpoint-{number}"}
        | {f"baseline_{name}": getattr(after if swapped else before, name) for name in MEASURES}
        | {f"current_{name}": getattr(before if swapped else after, name) for name in MEASURES}
        for number, (before, after) in enumerate(problem)
    ]


def delta(problem: Problem) -> Decimal:
    return sum(
        (after.cost_usd + after.exposure_usd - before.cost_usd - before.exposure_usd for before, after in problem),
        Decimal(0),
    )


def test_every_problem_has_every_effect_and_they_sum_to_its_change_exactly(problems, explained):
    for (name, swapped), found in explained.items():
        assert (name, set(found.effects)) == (name, EFFECTS)
        with localcontext(EXACT):
            assert (name, sum(found.effects.values())) == (name, found.delta_usd)
        assert (name, found.delta_usd) == (name, -delta(problems[name]) if swapped else delta(problems[name]))


def test_swapped_sides_flip_every_sign_and_change_nothing_else(problems, explained):
    for name in problems:
        forth, back = explained[name, False], explained[name, True]
        assert (name, back.effects) == (
            name,
            {effect: usd.copy_negate() if usd else usd for effect, usd in forth.effects.items()},
        )


@pytest.mark.parametrize("effect", ["volume", "retry", "token", "price", "mix"])
def test_where_one_factor_moved_all_of_it_is_its_effect(problems, explained, effect):
    names = [name for name in problems if name.startswith(f"{effect} ")]
    names.remove("volume and mix") if effect == "volume" else None
    assert len(names) == EACH[effect]
    for name in names:
        change = delta(problems[name])
        assert (name, explained[name, False].moved()) == (name, {effect: change} if change else {})


def test_exposure_is_an_effect_of_its_own(problems, explained):
    for name, problem in problems.items():
        exposure = sum((after.exposure_usd - before.exposure_usd for before, after in problem), Decimal(0))
        difference = abs(explained[name, False].effects["unpriced"] - exposure)
        assert difference <= len(problem) * LAST_UNIT, name


def test_drawn_problems_agree_with_the_definition(problems, explained):
    """The average over all orders in which the factors could have moved, in doubles."""
    for name, problem in problems.items():
        expected = by_definition(problem)
        found = {effect: float(usd) for effect, usd in explained[name, False].effects.items() if effect != "unpriced"}
        largest = max(abs(usd) for usd in expected.values())
        assert found == pytest.approx(expected, abs=1e-9 * largest + 1e-9), name


def by_definition(problem: Problem) -> dict[str, float]:
    """Each leaf's four factors move one after the other, in each of the 24 orders; the request effect is split as the page says."""
    effects = dict.fromkeys(("volume", "mix", "retry", "token", "price"), 0.0)
    everybody = [sum(pair[which].requests for pair in problem) for which in (0, 1)]
    for pair in problem:
        if any(each.cost_usd and not each.requests for each in pair):
            effects["retry"] += float(pair[1].cost_usd - pair[0].cost_usd)
            continue
        own = [rates(each) for each in pair]
        known = [own[0] or own[1] or (0, 0, 0), own[1] or own[0] or (0, 0, 0)]
        factors = [(each.requests, *rate) for each, rate in zip(pair, known, strict=True)]
        change = [0.0] * 4
        for order in permutations(range(4)):
            now = list(factors[0])
            for factor in order:
                before = now[0] * now[1] * now[2] * now[3]
                now[factor] = factors[1][factor]
                change[factor] += (now[0] * now[1] * now[2] * now[3] - before) / 24
        moved = pair[1].requests - pair[0].requests
        shares = [each.requests / total if total else 0 for each, total in zip(pair, everybody, strict=True)]
        of_all = (everybody[1] - everybody[0]) * sum(shares) / 2
        # where the leaf's own requests did not move, its share and all others did, against each other
        bracket = change[0] / moved if moved else weight(factors)
        effects["volume"] += of_all * bracket
        effects["mix"] += (moved - of_all) * bracket
        for effect, usd in zip(("retry", "token", "price"), change[1:], strict=True):
            effects[effect] += usd
    return effects


def weight(factors: list[tuple]) -> float:
    """What one more request would have cost, averaged over the orders."""
    chances = {0: 1 / 4, 1: 1 / 12, 2: 1 / 12, 3: 1 / 4}
    return sum(
        chances[sum(sides)] * factors[sides[0]][1] * factors[sides[1]][2] * factors[sides[2]][3]
        for sides in product((0, 1), repeat=3)
    )


def rates(each: Side) -> tuple[float, float, float] | None:
    if not each.requests or not each.attempts:
        return None
    tokens = max(each.tokens, 1)
    return each.attempts / each.requests, tokens / each.attempts, float(each.cost_usd) / tokens


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        # leaf by leaf: 100 * (0.60 + 0.75) / 2 * 2 + 100 * (0.40 + 0.25) / 2 * 1, and 0.15 * 150 * 2 - 0.15 * 150 * 1
        ("volume and mix", {"volume": "167.5", "mix": "22.5"}),
        # 10 more requests at 1.5 attempts on average; 1 more attempt at 15 requests on average
        ("requests and attempts double", {"volume": "15", "retry": "15"}),
        # 10 dollars become 160: four factors that did the same
        ("all four factors double", {"volume": "37.5", "retry": "37.5", "token": "37.5", "price": "37.5"}),
        # 300 dollars more. Old leaf: 50 * 0.75 - 0.5 * 75 = 0. New: 50 * 0.25 * 6 and 0.5 * 75 * 6
        ("a new leaf", {"volume": "112.5", "mix": "187.5"}),
        ("a leaf is gone", {"volume": "-112.5", "mix": "-187.5"}),
        ("a retry of a request that was made elsewhere", {"retry": "3"}),
        # 9 -> 27 requests, of which 9 failed without tokens: 18 * (1 + 2/3) / 2 * 1, and the paid share fell by a third of 18
        ("failed calls only", {"volume": "15", "mix": "-6"}),
        ("nothing changed", {}),
    ],
)
def test_worked_by_hand(explained, name, effects):
    assert explained[name, False].moved() == {effect: Decimal(usd) for effect, usd in effects.items()}


def test_a_model_without_a_price_moves_its_exposure(explained):
    """Its requests are requests too: they dilute the share of the priced leaf by as much as they raise the volume."""
    moved = explained["a model without a price", False].moved()
    assert (moved["unpriced"], moved["volume"], moved["mix"]) == (8, Decimal("7.5"), Decimal("-7.5"))
