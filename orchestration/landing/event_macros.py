"""Functions of SQL that read the values of an event, as text.py and usage.py do in Python."""

from orchestration.landing.text import BLANKS, INSTANT, NUMBER

DEL = "\x7f"

MACROS = rf"""
create macro tidy(x) as case
    when x < '!' or reverse(x) < '!' or strlen(x) <> length(x) or contains(x, '{DEL}')
    then nullif(trim(x, chr(0) || '{BLANKS[1:]}'), '') else x end;
-- JSON without a backslash has no control character but DEL, and so no other ASCII blank than it and a space.
create macro tidy_plain(x) as case
    when x < '!' or ends_with(x, ' ') or contains(x, '{DEL}') or strlen(x) <> length(x) then tidy(x) else x end;
create macro is_number(x) as regexp_full_match(x, '{NUMBER}');
-- An empty text has no value, and NaN is what Python and pandas write for a missing one.
create macro is_absent(x) as coalesce(lower(tidy(x)), 'nan') = 'nan';
-- DuckDB's own cast rounds 12.5 to 13 and reads 0x1f and 1_000: only what prints as it was read goes the short way.
create macro tidy_whole(x) as case
    when is_number(x) and try_cast(x as decimal(38, 12)) = trunc(try_cast(x as decimal(38, 12)))
    then try_cast(try_cast(x as decimal(38, 12)) as bigint) end;
create macro whole(x) as case
    when try_cast(x as bigint)::varchar = x then try_cast(x as bigint) else tidy_whole(tidy(x)) end;
create macro tidy_number(x) as case when is_number(x) then try_cast(x as double) end;
create macro number(x) as coalesce(tidy_number(x), tidy_number(tidy(x)));
-- Amounts below a million dollars fit into 64 bits, where the cast is ten times faster.
create macro tidy_money(x) as case when is_number(x)
    then coalesce(try_cast(x as decimal(18, 12))::decimal(38, 12), try_cast(x as decimal(38, 12))) end;
create macro money(x) as coalesce(tidy_money(x), tidy_money(tidy(x)));
-- A time as DuckDB prints it, as `nanos` does for each span, is read without a calendar of zones.
create macro instant(x) as case when not regexp_full_match(x, '{INSTANT}') then null
    when contains(x, ' ') and try_cast(x as timestamp)::varchar = x then try_cast(x as timestamp)
    else coalesce(try_cast(x as timestamptz), try_cast(upper(x) as timestamptz))::timestamp end;
create macro found(name, x) as name || ' is ' || left(x, 40);
create macro out_of_range(name, x, least, most) as found(name, x) || ', not between ' || least || ' and ' || most;
create macro whole_problem(name, x, v, least, most) as case
    when v is null and is_number(tidy(x))
        and try_cast(tidy(x) as decimal(38, 12)) <> trunc(try_cast(tidy(x) as decimal(38, 12)))
    then 'not_an_integer' || chr(9) || found(name, x)
    when v is null then 'bad_value' || chr(9) || found(name, x) || ', not a whole number'
    when v < least and least = 0 then 'negative_tokens' || chr(9) || found(name, x)
    when v not between least and most then 'bad_value' || chr(9) || out_of_range(name, x, least, most) end;
create macro keyed_hash(x, inner_pad, outer_pad) as
    sha256(outer_pad || unhex(sha256(inner_pad || encode(x))));
"""
