"""Why a cost changed, exactly, by token kind: problems by hand and drawn ones through the real model's SQL."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from itertools import permutations

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from orchestration.dbt import run_dbt
from pricing.units import LEAVES
from tests.pipeline import pipeline_at

DAY = "2026-11-20"
LAST_UNIT = Decimal("0.000000000001")
EXACT = Context(prec=60)  # effects of huge numbers have more digits than Python keeps by itself
KINDS = (*(leaf.name for leaf in LEAVES), "other")
INPUTS = ("uncached_input", "cached_input", "cache_write_5m")  # of one size together; the cache moves their shares
USED = (*INPUTS, "text_output", "reasoning", "web_searches")
OF_CALLS = ("volume", "mix", "retry")


@dataclass(frozen=True)
class Side:
    """What a cell did on one side: requests, attempts, and (tokens, USD) of each kind; the likely cost of unpriced calls."""

    requests: float = 0
    attempts: float = 0
    kinds: dict[str, tuple[float, Decimal]] = field(default_factory=dict)
    exposure_usd: Decimal = Decimal(0)

    def usd(self, kind: str) -> Decimal:
        return self.kinds.get(kind, (0, Decimal(0)))[1]

    def tokens(self, kind: str) -> float:
        return self.kinds.get(kind, (0, Decimal(0)))[0]

    def columns(self, which: str) -> dict:
        measures = {"requests": self.requests, "attempts": self.attempts, "exposure_usd": self.exposure_usd}
        of_kinds = {
            f"{kind}_{name}": value
            for kind in self.kinds
            for name, value in zip(("units", "usd"), self.kinds[kind], strict=True)
        }
        return {f"{which}_{name}": value for name, value in (measures | of_kinds).items()}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A cell of a comparison: endpoint and price variant, before and now."""

    before: Side
    now: Side
    endpoint: str = "chat"
    variant: str | None = "standard"

    def swapped(self) -> "Cell":
        return replace(self, before=self.now, now=self.before)


NOTHING = Side()
PRICES = {"uncached_input": "0.01", "cached_input": "0.001", "text_output": "0.05"}


def side(
    requests: float, attempts_per_request: float = 1, prices: dict | None = None, **tokens_per_attempt: float
) -> Side:
    """By its factors; without tokens per attempt a plain request costs one dollar, of 100 tokens of input."""
    attempts, prices = requests * attempts_per_request, PRICES | (prices or {})
    tokens = {kind: attempts * each for kind, each in (tokens_per_attempt or {"uncached_input": 100}).items()}
    return Side(
        requests, attempts, {kind: (each, Decimal(each) * Decimal(prices[kind])) for kind, each in tokens.items()}
    )


Problem = list[Cell]
BY_HAND: dict[str, tuple[Problem, dict[tuple[str | None, str], str]]] = {
    # cell by cell: 100 * (0.60 + 0.75) / 2 * 2 + 100 * (0.40 + 0.25) / 2 * 1, and 0.15 * 150 * 2 - 0.15 * 150 * 1
    "volume and mix": (
        [Cell(side(60, uncached_input=200), side(150, uncached_input=200)), Cell(side(40), side(50), "search")],
        {("uncached_input", "volume"): "167.5", ("uncached_input", "mix"): "22.5"},
    ),
    # 10 more requests at 1.5 attempts on average; 1 more attempt at 15 requests on average
    "requests and attempts double": (
        [Cell(side(10), side(20, attempts_per_request=2))],
        {("uncached_input", "volume"): "15", ("uncached_input", "retry"): "15"},
    ),
    # 10 dollars become 160: four factors that did the same
    "all four factors double": (
        [Cell(side(10), side(20, 2, {"uncached_input": "0.02"}, uncached_input=200))],
        {("uncached_input", effect): "37.5" for effect in ("volume", "retry", "input", "price")},
    ),
    # 300 dollars more. Old cell: 50 * 0.75 - 0.5 * 75 = 0. New: 50 * 0.25 * 6 and 0.5 * 75 * 6
    "a new cell": (
        [Cell(side(50), side(50)), Cell(NOTHING, side(50, 2, uncached_input=300), "search")],
        {("uncached_input", "volume"): "112.5", ("uncached_input", "mix"): "187.5"},
    ),
    "a cell is gone": (
        [Cell(side(50), side(50)), Cell(side(50, 2, uncached_input=300), NOTHING, "search")],
        {("uncached_input", "volume"): "-112.5", ("uncached_input", "mix"): "-187.5"},
    ),
    # answers twice as long at five times the price of the prompt: nothing of it is a price
    "longer answers": (
        [Cell(side(10, uncached_input=100, text_output=20), side(10, uncached_input=100, text_output=40))],
        {("text_output", "output"): "10"},
    ),
    # prompts twice as long with the same shares from the cache: 10 * 100 * 0.01 and 10 * 100 * 0.001
    "longer prompts": (
        [Cell(side(10, uncached_input=100, cached_input=100), side(10, uncached_input=200, cached_input=200))],
        {("uncached_input", "input"): "10", ("cached_input", "input"): "1"},
    ),
    # what was half of 200 tokens is read no more: 10 * 100 * 0.01 more, 10 * 100 * 0.001 less
    "a lost cache": (
        [Cell(side(10, uncached_input=100, cached_input=100), side(10, uncached_input=200))],
        {("uncached_input", "cache"): "10", ("cached_input", "cache"): "-1"},
    ),
    # 100 tokens more (from 200 to 300), none of them cached. Of uncached input the share goes from 1/2 to 2/3, mean 7/12: input
    # 100 * 7/12 * 0.01 * 10, cache 1/6 * 250 * 0.01 * 10; of cached input from 1/2 to 1/3, mean 5/12
    "prompts grow after the cached part": (
        [Cell(side(12, uncached_input=100, cached_input=100), side(12, uncached_input=200, cached_input=100))],
        {("uncached_input", "input"): "7", ("uncached_input", "cache"): "5", ("cached_input", "input"): "0.5",
         ("cached_input", "cache"): "-0.5"},
    ),
    "one price doubles": (
        [Cell(side(10, uncached_input=100, text_output=20),
              side(10, prices={"text_output": "0.1"}, uncached_input=100, text_output=20))],
        {("text_output", "price"): "10"},
    ),
    # 10 of 20 requests move to the variant of half the price: what they save is mix, no price changed
    "half of the calls in a batch": (
        [Cell(side(20), side(10)), Cell(NOTHING, side(10, prices={"uncached_input": "0.005"}), variant="batch")],
        {("uncached_input", "mix"): "-5"},
    ),
    # a call that failed without usage has no variant; it is one more attempt of the 10 requests, with fewer tokens for each
    "refused and sent again": (
        [Cell(side(10), replace(side(10), requests=0)), Cell(NOTHING, Side(10, 10), variant=None)],
        {("uncached_input", "retry"): "7.5", ("uncached_input", "input"): "-7.5"},
    ),
    "a retry of a request that was made elsewhere": (
        [Cell(side(5), side(5)), Cell(NOTHING, replace(side(3), requests=0), "search")],
        {("uncached_input", "retry"): "3"},
    ),
    # 9 -> 27 requests, of which 9 failed without tokens: 18 * (1 + 2/3) / 2 * 1, and the paid share fell by a third of 18
    "failed calls only": (
        [Cell(NOTHING, Side(9, 12), "search"), Cell(side(9), side(18))],
        {("uncached_input", "volume"): "15", ("uncached_input", "mix"): "-6"},
    ),
    # its requests are requests too: they dilute the share of the priced cell by as much as they raise the volume
    "a model without a price": (
        [Cell(NOTHING, Side(10, 10, {}, Decimal(8)), "search", "unpriced"), Cell(side(10), side(10))],
        {("uncached_input", "volume"): "7.5", ("uncached_input", "mix"): "-7.5", (None, "unpriced"): "8"},
    ),
    # a billionth of a dollar for a million tokens; that one of them costs the last unit is rounding, and no price
    "the price of one token is rounded": (
        [Cell(Side(10, 10, {"cached_input": (1_000_000, Decimal("0.000000001"))}), Side(10, 10, {"cached_input": (1, LAST_UNIT)}))],
        {("cached_input", "input"): "-0.000000000999"},
    ),
    "nothing changed": ([Cell(side(7, 2, uncached_input=31), side(7, 2, uncached_input=31))], {}),
}  # fmt: skip


# ---- what the model says


@dataclass
class Explained:
    """Effects by token kind (None: unpriced calls, which have none), and the change."""

    delta_usd: Decimal | None = None
    effects: dict[tuple[str | None, str], Decimal] = field(default_factory=dict)

    def moved(self) -> dict[tuple[str | None, str], Decimal]:
        return {key: usd for key, usd in self.effects.items() if usd}

    def of_kind(self, kind: str | None) -> Decimal:
        with localcontext(EXACT):
            return sum((usd for (name, _), usd in self.effects.items() if name == kind), Decimal(0))


COUNTS = ("requests", "attempts", *(f"{kind}_units" for kind in KINDS))
DOLLARS = ("exposure_usd", *(f"{kind}_usd" for kind in KINDS))
COLUMNS = ", ".join(
    f"{which}_{name} {'decimal(38, 12)' if name in DOLLARS else 'double'} default 0"
    for which in ("baseline", "current")
    for name in (*COUNTS, *DOLLARS)
)
CELLS = f"""
    create table int_problem_cells (
        event_date date default date '{DAY}', environment varchar default 'prod', data_mode varchar default 'real', round integer,
        endpoint_tag varchar, model varchar default 'm', price_variant varchar, {COLUMNS}
    )
"""


def write(database: duckdb.DuckDBPyConnection, problems: list[Problem]) -> None:
    rows = [
        {"round": place, "endpoint_tag": cell.endpoint, "price_variant": cell.variant}
        | cell.before.columns("baseline")
        | cell.now.columns("current")
        for place, problem in enumerate(problems)
        for cell in problem
    ]
    names = sorted({name for row in rows for name in row})
    values = ", ".join(f"({', '.join(literal(row.get(name, 0)) for name in names)})" for row in rows)
    database.execute(f"insert into int_problem_cells ({', '.join(names)}) values {values}")


def literal(value: object) -> str:
    return "null" if value is None else f"'{value:f}'" if isinstance(value, Decimal) else f"'{value}'"


def read(database: duckdb.DuckDBPyConnection, rows: str, count: int) -> list[Explained]:
    found = [Explained() for _ in range(count)]
    sql = f"select round, token_kind, effect, effect_usd, delta_usd from ({rows})"
    for place, kind, effect, effect_usd, delta_usd in database.execute(sql).fetchall():
        found[place].effects[kind, effect], found[place].delta_usd = effect_usd, delta_usd
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[list[Explained], str]:
    """The problems by hand through dbt, forth and back, and the SQL that it ran."""
    settings = pipeline_at(tmp_path_factory.mktemp("decomposition") / "data").settings
    (settings.state / "spill").mkdir(parents=True)
    problems = [problem for problem, _ in BY_HAND.values()]
    both = problems + [[cell.swapped() for cell in problem] for problem in problems]
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute(f"""
            create schema intermediate;
            use intermediate;
            create table alert_signal_days as select date '{DAY}' as event_date, 'drawn' as input_fingerprint;
            create table int_alert_signals as select date '{DAY}' as event_date, 1 as observed, 0 as expected;
        """)
        warehouse.execute(CELLS)
        write(warehouse, both)
    run_dbt(settings, "run", "--quiet", "--select", "int_problem_effects")
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        found = read(warehouse, "from intermediate.int_problem_effects", len(both))
    (compiled,) = (settings.state / "dbt" / "compiled").rglob("int_problem_effects.sql")
    return found, compiled.read_text()


@pytest.fixture(scope="module")
def explain(built) -> Callable[[list[Problem]], list[Explained]]:
    """What the model's SQL says of drawn problems."""
    sql = built[1]

    def of(problems: list[Problem]) -> list[Explained]:
        with duckdb.connect() as database:
            database.execute(
                "attach ':memory:' as warehouse; create schema warehouse.intermediate; use warehouse.intermediate"
            )
            database.execute(CELLS)
            write(database, problems)
            return read(database, sql, len(problems))

    return of


def change(problem: Problem, kind: str) -> Decimal:
    return sum((cell.now.usd(kind) - cell.before.usd(kind) for cell in problem), Decimal(0))


def change_of_all(problem: Problem) -> Decimal:
    exposure = sum((cell.now.exposure_usd - cell.before.exposure_usd for cell in problem), Decimal(0))
    return sum((change(problem, kind) for kind in KINDS), exposure)


@pytest.mark.parametrize("name", BY_HAND)
def test_worked_by_hand(built, name):
    problem, effects = BY_HAND[name]
    place = list(BY_HAND).index(name)
    forth, back = built[0][place], built[0][place + len(BY_HAND)]
    assert forth.moved() == {key: Decimal(usd) for key, usd in effects.items()}
    assert back.moved() == {key: -Decimal(usd) for key, usd in effects.items()}
    assert forth.delta_usd == change_of_all(problem)


# ---- drawn problems

COST_PER_TOKEN = st.integers(1, 10**9).map(
    lambda units: Decimal(units).scaleb(-15)
)  # up to a dollar for a million tokens


@st.composite
def a_side(draw, prices: dict[str, Decimal]) -> Side:
    """Anything that usage can be: one call or a billion, failed, unpriced, retries whose requests were made elsewhere."""
    requests = draw(st.sampled_from([0, 1, 7.25]) | st.integers(1, 10**6))
    attempts = requests + draw(st.sampled_from([0, 0, 0.75]) | st.integers(0, 50))
    kinds = {}
    for kind, price in prices.items():
        tokens = int(attempts * draw(st.sampled_from([0, 1, 812.5]) | st.integers(1, 10**5)))
        # what is stored is rounded for each call, up or down
        rounded = draw(st.integers(-5, 5)) * int(attempts) * LAST_UNIT / 10
        cost = (tokens * price + rounded).quantize(LAST_UNIT, ROUND_HALF_UP)
        if tokens and cost > 0:
            kinds[kind] = (tokens, cost)
    exposure = Decimal(draw(st.sampled_from([0, 0, 123_456]))) * Decimal("0.000123")
    return Side(requests, attempts, kinds, exposure)


@st.composite
def a_problem(draw, same_prices: bool = False) -> Problem:
    """Some cells at up to three endpoints; each may be new or gone."""
    cells = {}
    for _ in range(draw(st.integers(1, 5))):
        endpoint, variant = draw(st.sampled_from("abc")), draw(st.sampled_from(["standard", "batch"]))
        kinds = draw(st.lists(st.sampled_from(USED), min_size=1, max_size=4, unique=True))
        before = {kind: draw(COST_PER_TOKEN) for kind in kinds}
        now = before if same_prices else {kind: draw(COST_PER_TOKEN) for kind in kinds}
        sides = [draw(a_side(before)), draw(a_side(now))]
        gone = draw(st.sampled_from([None, None, None, 0, 1]))
        if gone is not None:
            sides[gone] = NOTHING
        cells[endpoint, variant] = Cell(sides[0], sides[1], endpoint, variant)
    if draw(st.booleans()):
        failed = [Side(draw(st.integers(0, 9)), draw(st.integers(0, 9))) for _ in range(2)]
        cells["a", None] = Cell(failed[0], failed[1], "a", None)
    return list(cells.values())


PROBLEMS, SAME_PRICES = (st.lists(a_problem(same), min_size=10, max_size=10) for same in (False, True))


@given(problems=PROBLEMS)
@examples(max_examples=12, deadline=None)
def test_the_effects_of_every_kind_are_the_change_of_its_cost(explain, problems):
    for problem, found in zip(problems, explain(problems), strict=True):
        for kind in USED:
            assert (kind, found.of_kind(kind)) == (kind, change(problem, kind))
        with localcontext(EXACT):
            assert sum(found.effects.values()) == found.delta_usd == change_of_all(problem)


@given(problems=PROBLEMS)
@examples(max_examples=12, deadline=None)
def test_swapped_sides_flip_every_sign_and_change_nothing_else(explain, problems):
    back = [[cell.swapped() for cell in problem] for problem in problems]
    found = explain(problems + back)
    for forth, other in zip(found[: len(problems)], found[len(problems) :], strict=True):
        assert other.effects == {key: usd.copy_negate() if usd else usd for key, usd in forth.effects.items()}


@given(problems=SAME_PRICES)
@examples(max_examples=12, deadline=None)
def test_where_no_price_changed_the_price_effect_is_zero_to_the_last_digit(explain, problems):
    for found in explain(problems):
        assert {usd for (_, effect), usd in found.effects.items() if effect == "price"} <= {0}


@given(problems=PROBLEMS)
@examples(max_examples=6, deadline=None)
def test_exposure_is_an_effect_of_its_own(explain, problems):
    for problem, found in zip(problems, explain(problems), strict=True):
        exposure = sum((cell.now.exposure_usd - cell.before.exposure_usd for cell in problem), Decimal(0))
        assert found.effects[None, "unpriced"] == exposure


def doubled(dice: random.Random, *factors: str) -> Problem:
    """Cells of which one or more factors double; every one is above zero."""
    cells = []
    for place in range(dice.randrange(1, 6)):
        requests, tries = dice.randrange(1, 10_000), dice.choice([1, 1.5, 2])
        tokens = {kind: dice.randrange(1, 5000) for kind in dice.sample(sorted(PRICES), dice.randrange(1, 4))}
        prices = {kind: f"0.00{dice.randrange(1, 1000)}" for kind in PRICES}
        before = side(requests, tries, prices, **tokens)
        twice = {name: 2 if name in factors else 1 for name in ("volume", "retry", "size", "price")}
        now = side(
            requests * twice["volume"], tries * twice["retry"],
            {kind: str(Decimal(price) * twice["price"]) for kind, price in prices.items()},
            **{kind: each * twice["size"] for kind, each in tokens.items()},
        )  # fmt: skip
        cells.append(Cell(before, now, f"endpoint-{place}"))
    return cells


@pytest.mark.parametrize("factor", ["volume", "retry", "size", "price"])
def test_where_one_factor_moved_all_of_it_is_its_effect(explain, factor):
    dice = random.Random(factor)
    problems = [doubled(dice, factor) for _ in range(40)]
    for problem, found in zip(problems, explain(problems), strict=True):
        for kind in PRICES:
            effect = ("output" if kind == "text_output" else "input") if factor == "size" else factor
            moved = {name: usd for (each, name), usd in found.moved().items() if each == kind}
            assert moved == ({effect: change(problem, kind)} if change(problem, kind) else {})


@given(problems=PROBLEMS)
@examples(max_examples=6, deadline=None)
def test_drawn_problems_agree_with_the_definition(explain, problems):
    """The average over all orders in which the factors could have moved, in doubles; one variant at each endpoint.

    Where both sides have one price, what the rounding of each call's cost leaves is in the largest effect.
    """
    plain = [[cell for cell in problem if cell.variant == "standard"] for problem in problems]
    for problem, found in zip(plain, explain(plain), strict=True):
        for (kind, effect), usd in by_definition(problem).items():
            scale = sum(abs(float(each)) for (name, _), each in found.effects.items() if name == kind)
            within = unknown_share(problem, kind) * scale + 1e-9 + rounding(problem, kind)
            assert float(found.effects.get((kind, effect), 0)) == pytest.approx(usd, abs=within)


def rounding(problem: Problem, kind: str) -> float:
    """What the rounding of each call's cost may leave: a price is as far off as the cost of its side, for the tokens of both."""
    found = 0.0
    for cell in problem:
        sides = (cell.before, cell.now)
        off = [1e-12 * (each.attempts + 1) / max(each.tokens(kind), 1) for each in sides]
        found += sum(off) * sum(max(each.tokens(kind), 1) for each in sides)
    return found


def unknown_share(problem: Problem, kind: str) -> float:
    """How much of a price is not known where costs are few last units, whatever the price is multiplied by."""
    sides = [each for cell in problem for each in (cell.before, cell.now) if kind in each.kinds]
    return 1e-9 + max((1e-12 * (each.attempts + 1) / float(each.kinds[kind][1]) for each in sides), default=0)


def by_definition(problem: Problem) -> dict[tuple[str, str], float]:
    """Of each kind of a cell four factors move one after the other, in each of the 24 orders; then the splits of the page."""
    effects: dict[tuple[str, str], float] = {}

    def add(kind: str, effect: str, usd: float) -> None:
        effects[kind, effect] = effects.get((kind, effect), 0.0) + usd

    everybody = [sum((cell.before, cell.now)[which].requests for cell in problem) for which in (0, 1)]
    for cell in problem:
        sides = (cell.before, cell.now)
        alone = any(not each.requests and any(usd for _, usd in each.kinds.values()) for each in sides)
        for kind in USED:
            if not cell.before.tokens(kind) and not cell.now.tokens(kind):
                continue
            if alone:
                add(kind, "retry", float(cell.now.usd(kind) - cell.before.usd(kind)))
                continue
            known = rates(sides, kind)
            factors = [(each.requests, *rate[:3]) for each, rate in zip(sides, known, strict=True)]
            volume, mix, retry, token, price = shapley(factors, sides, everybody)
            for effect, usd in (("volume", volume), ("mix", mix), ("retry", retry), ("price", price)):
                add(kind, effect, usd)
            if kind not in INPUTS:
                add(kind, "output", token)
                continue
            sizes, shares = [rate[3] for rate in known], [rate[4] for rate in known]
            grown = known[1][1] - known[0][1]
            by_size = (sizes[1] - sizes[0]) * (shares[0] + shares[1]) / 2
            weight = bracket([(one[0], one[1], one[3]) for one in factors])
            add(kind, "input", by_size * weight)
            add(kind, "cache", (grown - by_size) * weight)
    return effects


def rates(sides: tuple[Side, Side], kind: str) -> list[tuple[float, float, float, float, float]]:
    """(attempts per request, tokens per attempt, price, size of the input, share of it) of both sides, borrowed where missing."""
    there = [each.requests > 0 and each.attempts > 0 for each in sides]
    prices = prices_of(sides, kind)
    found = []
    for which, each in enumerate(sides):
        own = each if there[which] else sides[1 - which]
        if not own.requests:
            found.append((0.0, 0.0, 0.0, 0.0, 0.0))
            continue
        size = sum(own.tokens(name) for name in INPUTS)
        of_size = own if size else sides[1 - which]
        whole = sum(of_size.tokens(name) for name in INPUTS)
        found.append((
            own.attempts / own.requests, own.tokens(kind) / own.attempts, prices[which],
            size / own.attempts, of_size.tokens(kind) / whole if whole else 0.0,
        ))  # fmt: skip
    return found


def prices_of(sides: tuple[Side, Side], kind: str) -> list[float]:
    """Of both sides, borrowed where missing. What differs by no more than the rounding of each call's cost is one price, that of both."""
    used = [each if each.tokens(kind) else other for each, other in zip(sides, reversed(sides), strict=True)]
    prices = [float(each.usd(kind)) / each.tokens(kind) for each in used]
    rounding = sum(1e-12 * (each.attempts + 1) / each.tokens(kind) for each in used)
    together = float(sum(each.usd(kind) for each in used)) / sum(each.tokens(kind) for each in used)
    return [together] * 2 if abs(prices[1] - prices[0]) <= rounding else prices


def shapley(factors: list[tuple], sides: tuple[Side, Side], everybody: list[float]) -> tuple[float, ...]:
    moves = [0.0] * 4
    for order in permutations(range(4)):
        now = list(factors[0])
        for factor in order:
            before = now[0] * now[1] * now[2] * now[3]
            now[factor] = factors[1][factor]
            moves[factor] += (now[0] * now[1] * now[2] * now[3] - before) / 24
    shares = [each.requests / total if total else 0 for each, total in zip(sides, everybody, strict=True)]
    weight = bracket([one[1:] for one in factors])
    volume = (everybody[1] - everybody[0]) * sum(shares) / 2 * weight
    mix = (shares[1] - shares[0]) * sum(everybody) / 2 * weight
    return volume, mix, *moves[1:]


def bracket(others: list[tuple]) -> float:
    """What one more unit of a factor costs, averaged over the orders in which the other three moved."""
    x, y, z = zip(*others, strict=True)
    mixed = (
        x[1] * y[0] * z[0] + x[0] * y[1] * z[0] + x[0] * y[0] * z[1] + x[1] * y[1] * z[0] + x[1] * y[0] * z[1] + x[0] * y[1] * z[1]
    )  # fmt: skip
    return (x[0] * y[0] * z[0] + x[1] * y[1] * z[1]) / 4 + mixed / 12
