"""Functions that expressions of mappings may call besides those of DuckDB; docs/mappings.md lists them."""

MACROS_OF_MAPPINGS = r"""
-- Seconds and nanoseconds since 1970, as texts of instants: floats keep what was written, and are never doubles.
create macro epoch_text(x) as make_timestamp(cast(try_cast(x as decimal(20, 6)) * 1000000 as bigint))::varchar;
create macro nanos(x) as make_timestamp(try_cast(x as bigint) // 1000)::varchar;
-- A duration below zero is of a clock that was set back, or of an end that was never set: it is unknown.
create macro known_duration(x) as case when x >= 0 then x end;
create macro nanos_between(started, ended) as
    round(known_duration(try_cast(ended as bigint) - try_cast(started as bigint)) / 1000000, 3);
create macro millis_between(started, ended) as
    cast(known_duration(try_cast(ended as decimal(20, 6)) - try_cast(started as decimal(20, 6))) * 1000 as decimal(18, 3));
-- Longer ones would be refused, and one hash of them is as good a name.
create macro long_id(x) as case when length(x) > 256 then 'sha256:' || sha256(x) else x end;
create macro not_zero(x) as case when try_cast(x as double) <> 0 then x end;
create macro is_set(x) as coalesce(x, '') not in ('', '{}', '[]', 'null');
create macro tag(tags, name) as
    nullif(list_filter(try(from_json(tags, '["VARCHAR"]')), lambda t: starts_with(t, name || ':'))[1][length(name) + 2:], '');
create macro without_prefix(model, provider) as
    case when starts_with(model, provider || '/') then model[length(provider) + 2:] else model end;
create macro dollars_from_cents(x) as cast(try_cast(x as decimal(24, 10)) * cast(0.01 as decimal(3, 2)) as varchar);
create macro dollars_from_billionths(x) as
    rtrim(rtrim(cast(try_cast(x as decimal(20, 0)) * cast(0.000000001 as decimal(10, 9)) as varchar), '0'), '.');
-- A whole number, written 59200.0 too.
create macro whole_count(x) as cast(try_cast(x as decimal(20, 2)) as decimal(18, 0));
-- A map as ClickHouse writes it into CSV: {'tenant':'acme'}.
create macro of_map(x, name) as nullif(regexp_extract(x, '''' || name || '''\s*:\s*''([^'']*)''', 1), '');
create macro count_of(x) as try_cast(x as bigint);
-- The sum of the counts in a JSON object whose names match; NULL where none does.
create macro sum_like(counts, pattern) as list_sum(list_transform(
    list_filter(map_entries(try(from_json(counts, '"MAP(VARCHAR, VARCHAR)"'))), lambda e: regexp_matches(e.key, pattern)),
    lambda e: try_cast(e.value as bigint)))::bigint;
create macro sum_like_but(counts, pattern, but) as list_sum(list_transform(
    list_filter(map_entries(try(from_json(counts, '"MAP(VARCHAR, VARCHAR)"'))),
        lambda e: regexp_matches(e.key, pattern) and not regexp_matches(e.key, but)),
    lambda e: try_cast(e.value as bigint)))::bigint;
create macro sum_of(counts) as sum_like(counts, '.')::varchar;
-- A map as ClickHouse writes it, {'input':10}, as JSON.
create macro plain_map(x) as case when starts_with(x, '{''') then replace(x, '''', '"') else x end;
-- What a running total grew by since it was last seen.
create macro grown(total, before) as (try_cast(total as bigint) - coalesce(try_cast(before as bigint), 0))::varchar;
create macro millis_of_times(started, ended) as
    cast(known_duration(epoch_us(try_cast(ended as timestamptz)) - epoch_us(try_cast(started as timestamptz)))
        as decimal(18, 3)) / 1000;
create macro provider_of_model(model) as case
    when regexp_matches(model, '^(openai|anthropic|google|mistral|cohere|deepseek|groq)/', 'i')
        then lower(split_part(model, '/', 1))
    when regexp_matches(model, '^(claude)', 'i') then 'anthropic'
    when regexp_matches(model, '^(gpt-|chatgpt|o[1-9](-|$)|text-(embedding|davinci)-|davinci|babbage|codex-|omni-mod)', 'i')
        or regexp_matches(model, '^(computer-use|dall-e|whisper|tts-)', 'i') then 'openai'
    when regexp_matches(model, '^(gemini|gemma|imagen|veo|palm|text-bison|chat-bison)', 'i') then 'google'
    when regexp_matches(model, '^(mistral|mixtral|codestral|ministral|magistral|devstral|pixtral|open-mi)', 'i') then 'mistral'
    when regexp_matches(model, '^(command|embed-(english|multilingual)|rerank|c4ai-)', 'i') then 'cohere'
    when regexp_matches(model, '^deepseek', 'i') then 'deepseek'
    when regexp_matches(model, '^grok', 'i') then 'x-ai' end;
-- What a tracer calls a provider's system, unless it is a framework around the call, which bills nothing.
create macro named_system(x) as case
    when not regexp_matches(x, '^([.].*|lang(chain|graph)|llama_?index|crewai|haystack|autogen)?$', 'i')
        and not regexp_matches(x, '^(semantic[_-]?kernel|openai[_-]agents|pydantic[_-]ai)$', 'i') then x end;
-- Names of providers in OpenTelemetry and in SDKs, as the price catalogue has them.
create macro provider_of_system(x) as case
    when lower(x) in ('openai', 'anthropic', 'google', 'azure', 'mistral', 'cohere', 'deepseek', 'groq') then lower(x)
    when regexp_matches(lower(x), '^(gcp|google|vertex)[._-]?(vertex|gen|generative|gemini|ai)?') and lower(x) <> 'gemini' then 'google'
    when regexp_matches(lower(x), '^(az|azure)[._-]') then 'azure'
    when regexp_matches(lower(x), '^(aws|amazon)[._ -]') then 'aws'
    when regexp_matches(lower(x), '^x[_-]?ai([.]|$)') then 'x-ai'
    when regexp_matches(lower(x), '^mistral[_-]?ai([.]|$)') then 'mistral'
    -- frameworks around the call, which bill nothing
    when regexp_matches(lower(x), '^(lang(chain|graph)|llama_?index|crewai|haystack|autogen)$')
        or regexp_matches(lower(x), '^(semantic[_-]?kernel|openai[_-]agents|pydantic[_-]ai)$') then null
    -- SDKs add the endpoint: openai.chat, anthropic.messages
    else nullif(split_part(lower(x), '.', 1), '') end;
-- The id of a trace or span in hexadecimal, which Protobuf's own JSON writes in base 64.
create macro hex_id(x) as case when ends_with(x, '=') then coalesce(lower(hex(try(from_base64(x)))), x) else x end;
-- A value that was written as JSON text: "acme" with its quotes.
create macro unquoted(x) as nullif(trim(x, '"'), '');
-- `x` of a tag `name:x` in the text of an OTLP list.
create macro otlp_tag(tags, name) as nullif(regexp_extract(tags, '"stringValue"\s*:\s*"' || name || ':([^"]+)"', 1), '');
create macro exception_type(events) as
    nullif(regexp_extract(events, '"exception\.type"\s*,\s*"value"\s*:\s*\{"stringValue"\s*:\s*"([^"]+)"', 1), '');
"""
