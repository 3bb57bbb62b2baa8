"""Models and macros write what DuckDB and Spark understand in the same way, wherever there is one form for both (DESIGN 7).

What only one engine understands is in a leaf macro, `duckdb__...`, which these rules pass over. They read text, not SQL: a
rule looks for the spelling that was met in this project, and each has examples of what it finds and what it leaves alone.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.settings import PROJECT

DBT = PROJECT / "dbt_project"
LEAF = re.compile(r"\{%-?\s*macro duckdb__.*?endmacro\s*-?%\}", re.DOTALL)
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
INTEGER = r"(?:tinyint|smallint|int|integer|bigint)"
# Keys that hold a value in every row that is put in order by them: parts of a key, places and counts.
NEVER_NULL = frozenset(
    re.findall(
        r"\w+",
        """
    alert_id alert_type arrival_date attempt_label attempt_occurred_at budget_id candidate_id content_hash cuboid data_mode
    day_number day_second_from dimension driver_dimension effect environment event_date event_type filename hour_number hour_of_pause
    incident_id
    input_fingerprint instant landing_file line_number measure member model nearness neighbour_model neighbour_provider number
    occurred_at period_start place price_row_key provider quarter_at rank recorded_at round scope_dimension scope_value sentence
    sender sequence signal_id slot source started_at valid_from version_sequence week_start words
    """,
    )
)

Found = Iterator[tuple[int, str]]  # where in the text, and the sentence


def quoted_extract(text: str) -> Found:
    """Spark takes a quoted field for a syntax error."""
    for found in re.finditer(r"extract\(\s*'(\w+)'", text, re.IGNORECASE):
        yield found.start(), f"write extract({found[1]} from ...), without quotes"


def varchar(text: str) -> Found:
    """VARCHAR needs a length on Spark; both know STRING, and DuckDB publishes it as VARCHAR."""
    for found in re.finditer(r"\bvarchar\b", text, re.IGNORECASE):
        yield found.start(), "write string for varchar"


def date_minus_date(text: str) -> Found:
    """An INTERVAL on Spark: an error where it is compared, and silently seconds where it is cast."""
    a_number = r"(?!attempt_day\b)"
    a_column = rf"\b{a_number}(?:\w+\.)?\w*(?:date|day|week|_start|_end|week_seen_before)\b"
    a_date = rf"(?:{a_column}|\b(?:min|max)\((?:\w+\.)?\w*date\)|as date\))"
    not_days = r"(?!\s|\d|interval\b|\{\{)"
    for found in re.finditer(rf"{a_date}\s+-\s+{not_days}", _without_tags(text)):
        yield found.start(), 'count days with {{ dbt.datediff(earlier, later, "day") }}, not with a minus'


def union_by_name(text: str) -> Found:
    """Spark knows no `by name`: both sides list their columns, in one order."""
    for found in re.finditer(r"\bunion\s+(?:all\s+)?by\s+name\b", text, re.IGNORECASE):
        yield found.start(), "list the columns on both sides of the union"


def quantile_cont(text: str) -> Found:
    """Spark has the standard's function only, and so does DuckDB under that name."""
    for found in re.finditer(r"\bquantile_cont\(", text, re.IGNORECASE):
        yield found.start(), "write percentile_cont(q) within group (order by x)"


def database_of_the_target(text: str) -> Found:
    """dbt-spark has no database, and refuses an undefined one."""
    for found in re.finditer(r"\btarget\.database\b(?!\s+or\b)", text):
        yield found.start(), "write target.database or none"


def comma_before_from(text: str) -> Found:
    """DuckDB forgives it; it comes out of loops."""
    for found in re.finditer(r",\s+(?:from|where)\b", _without_tags(text)):
        yield found.start(), "put the comma of a list before each item but the first, not after the last"


def ascending_nulls(text: str) -> Found:
    """Ascending, NULL comes last on DuckDB and first on Spark; descending it is last on both."""
    for start, key in _order_keys(_without_tags(text)):
        if not _is_never_null(key):
            yield start, f"say where NULL goes: order by {key} nulls last"


def cast_of_a_half(text: str) -> Found:
    """DuckDB rounds 2.5 to 3, Spark cuts it to 2."""
    plain = _without_tags(text)
    for found in re.finditer(rf"\bas {INTEGER}\)", plain):
        start = _opening(plain, found.start())
        inner = plain[start + 1 : found.start()]
        if not plain[:start].endswith("cast") or re.search(r"round\(|floor\(|ceil\(|sum\(|count\(|%", inner):
            continue
        if re.search(r"\s/\s|\s\*\s|\bavg\(|\bmedian\(|quantile|percentile", inner):
            yield start, f"round before the cast to an integer: {' '.join(inner.split())}"


def bare_column_after_joins(text: str) -> Found:
    """After several joins with `using`, Spark calls a column without its table ambiguous."""
    for start, name in _bare_columns(_without_tags(text)):
        yield start, f"qualify {name}: it stands after several joins with using"


RULES: dict[Callable[[str], Found], tuple[tuple[str, ...], tuple[str, ...]]] = {
    quoted_extract: (("extract('hour' from occurred_at)",), ("extract(hour from occurred_at)",)),
    varchar: (("cast(line_number as varchar)", "data_type: varchar"), ("cast(line_number as string)",)),
    date_minus_date: (
        (
            "event_date - previous_date > 1",
            "last.week_start - first.week_start",
            "cast(a as date) - b",
            "event_date - min(x)",
        ),
        (
            "event_date - 1",
            "event_date - {{ quiet_days() }}",
            "end_date - interval 1 day",
            "updated_usd - spent_usd",
            "attempt_day - previous_attempt_day",
        ),
    ),
    union_by_name: (
        ("select a from t union all by name select a from u",),
        ("select a from t union all select a from u",),
    ),
    quantile_cont: (("quantile_cont(x, 0.9)",), ("percentile_cont(0.9) within group (order by x)",)),
    database_of_the_target: (("database=target.database, schema",), ("database=target.database or none, schema",)),
    comma_before_from: (
        ("select a, b, from t", "select {% for x in y %} {{ x }}, {% endfor %} where false"),
        ("select a, b from t", "{% for x in y %} {{ x }} {{ ',' if not loop.last }} {% endfor %} from t"),
    ),
    ascending_nulls: (
        (
            "row_number() over (partition by a order by endpoint_tag, event_date)",
            "string_agg(x, ',' order by case when a then 1 end)",
        ),
        (
            "row_number() over (order by events.event_date, cost_usd desc, endpoint_tag nulls last)",
            "string_agg(x, ',' order by coalesce(a, b), case when a then 1 else 2 end) from t",
            "select * from t order by {{ keys }}, round = 0, scope_dimension || ' ' || scope_value limit 3",
        ),
    ),
    cast_of_a_half: (
        ("cast(a / 2 as bigint)", "cast(quiet_hours * 4 as integer)", "cast(avg(tokens) as bigint)"),
        (
            "cast(round(a / 2) as bigint)",
            "cast(sum(a * b) as bigint)",
            "cast(rank as integer)",
            "a / cast(b as integer)",
        ),
    ),
    bare_column_after_joins: (
        ("select a.x, y from a join b using (k) join c using (k)",),
        (
            "select a.x, sum(a.y) as total from a join b using (k) join c using (k) group by a.x order by total",
            "select x from a join b using (k)",
            "select a.x from a join b on a.k = b.k join (select k, y from c) as d using (k)",
            "select a.x - interval 1 day from a join b using (k) join c using (k)",
            "select a.* exclude (x, y) from a join b using (k) join c using (k)",
        ),
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_models_and_macros_are_portable(rule):
    said = [f"{path.relative_to(PROJECT)}:{line}: {sentence}" for path, line, sentence in problems(rule)]
    assert not said, f"{rule.__doc__}\n" + "\n".join(said)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_it_is_for_and_nothing_else(rule):
    bad, good = RULES[rule]
    assert [text for text in bad if not list(rule(text))] == []
    assert [text for text in good if list(rule(text))] == []


def problems(rule: Callable[[str], Found]) -> Iterator[tuple[Path, int, str]]:
    """By file and line, what a rule says of models, macros, tests and contracts."""
    files = [
        path for path in sorted(DBT.rglob("*")) if path.suffix in ({".sql", ".yml"} if rule is varchar else {".sql"})
    ]
    for path in files:
        text = LEAF.sub(_blank, COMMENT.sub(_blank, path.read_text()))
        for position, sentence in rule(text):
            yield path, text.count("\n", 0, position) + 1, sentence


def _blank(found: re.Match) -> str:
    """As many lines as there were, so that places stay."""
    return re.sub(r"[^\n]", " ", found[0])


def _without_tags(text: str) -> str:
    """Jinja's statements become blanks, those that end a text a semicolon; expressions stay."""

    def blank(found: re.Match) -> str:
        ends = re.match(r"\{%-?\s*(?:set|endset|macro|endmacro|call|endcall)\b", found[0])
        return (";" if ends else " ") + _blank(found)[1:]

    return re.sub(r"\{%.*?%\}", blank, text, flags=re.DOTALL)


def _opening(text: str, position: int) -> int:
    """The bracket that is open at a position."""
    depth = 0
    while position > 0:
        position -= 1
        depth += {")": 1, "(": -1}.get(text[position], 0)
        if depth < 0:
            break
    return position


def _order_keys(text: str) -> Iterator[tuple[int, str]]:
    for clause in re.finditer(r"\border by\s+", text):
        start, depth, position = clause.end(), 0, clause.end()
        while position < len(text):
            rest = text[position:]
            is_over = depth == 0 and (rest[0] in ');"' or re.match(r"\s(?:rows|range|limit|qualify|union)\b", rest))
            if is_over or (rest[0] == "," and depth == 0):
                yield start, " ".join(text[start:position].split())
                start = position + 1
            if is_over:
                break
            depth += {"(": 1, ")": -1, "{": 1, "}": -1}.get(rest[0], 0)
            position += 1
        else:
            yield start, " ".join(text[start:].split())


def _is_never_null(key: str) -> bool:
    if re.search(r"\bnulls (?:first|last)$|\bdesc$|^coalesce\(|^\d+$|^all$", key) or "{{" in key or not key:
        return True
    if re.match(r"case\b", key):
        return " else " in key and bool(re.search(r"(?:then|else) (?:\d+|'[^']*')", key))
    names = re.findall(r"[a-z_]\w*(?:\.\w+)?", re.sub(r"'[^']*'", "", key))
    return "(" not in key and all(re.sub(r"^.*\.", "", name) in NEVER_NULL for name in names)


TOKEN = re.compile(r"'[^']*'|\{\{.*?\}\}|\w+|\S", re.DOTALL)
WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    select distinct case when then else end and or not in is null like between as from join left right inner full outer cross
    on using where group by all having qualify order asc desc nulls first last over partition rows range preceding following
    unbounded current row interval date timestamp true false cast decimal bigint integer double boolean string limit exclude
    lateral filter within union anti semi with recursive year quarter month week day hour minute second
    """,
    )
)
CLAUSES = ("select", "where", "group", "having", "qualify", "order", "on", "using")


def _bare_columns(text: str) -> Iterator[tuple[int, str]]:
    """Columns without a table in each select that has two joins, one of them with `using`."""
    tokens = [(found.start(), found[0]) for found in TOKEN.finditer(text)]
    selects: list[list[list]] = [[[]]]  # by bracket that holds a select, its selects, their tokens with the depth in it
    depths = [0]
    for place, (start, word) in enumerate(tokens):
        following = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        if word == "(" and following in ("select", "with"):
            selects.append([[]])
            depths.append(0)
            continue
        if word == ")" and depths[-1] == 0 and len(selects) > 1:
            yield from (each for select in selects.pop() for each in _bare(select))
            depths.pop()
            selects[-1][-1].append((start, "{{ a subquery }}", depths[-1]))
            continue
        if word == "select" or word == ";":
            selects[-1].append([])
        depths[-1] += {"(": 1, ")": -1}.get(word, 0)
        selects[-1][-1].append((start, word, depths[-1]))
    yield from (each for scope in selects for select in scope for each in _bare(select))


def _bare(select: list[tuple[int, str, int]]) -> Iterator[tuple[int, str]]:
    words = [word for _, word, depth in select]
    if words.count("join") < 2 or "using" not in words:
        return
    aliases = {words[place + 1] for place, word in enumerate(words[:-1]) if word == "as"}
    is_naming = False  # tables, between from or join and what follows; and the keys of using
    is_excluding = False  # columns that a star leaves out, which have no table
    for place, (start, word, depth) in enumerate(select):
        before, after = words[place - 1] if place else "", words[place + 1] if place + 1 < len(words) else ""
        if depth == 0 and word in ("from", "join", "using"):
            is_naming = True
        elif depth == 0 and word in CLAUSES:
            is_naming = False
        if word == "exclude":
            is_excluding = True
        elif word == ")":
            is_excluding = False
        is_name = re.fullmatch(r"[a-z_]\w*", word) and word not in WORDS and word not in aliases
        is_part = before in (".", "as") or after in (".", "(") or (after == "from" and depth) or before.startswith("{{")
        if is_name and not is_part and not is_naming and not is_excluding:
            yield start, word
