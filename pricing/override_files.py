"""Reading `prices/*.yml`, with a sentence for everything that is wrong in a file."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pricing.catalogue import resolve
from pricing.override_entries import VARIANT_KEYS, Alias, Entry, Overrides, PriceOverride, day_of
from pricing.rows import price_name
from pricing.suggestions import suggest


class OverrideError(ValueError):
    """What is wrong with the override files: one sentence per line."""


class _File(Entry):
    prices: tuple[Any, ...] = ()
    aliases: tuple[Any, ...] = ()


def load_overrides(folder: Path) -> Overrides:
    """Read and check every .yml file of a folder. Raises OverrideError with a sentence for each thing that is wrong."""
    prices: list[tuple[str, PriceOverride]] = []
    aliases: list[tuple[str, Alias]] = []
    errors: list[str] = []
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        name = f"{folder.name}/{path.name}"
        try:
            file = _File.model_validate(_read(path) or {})
        except (yaml.YAMLError, ValueError) as error:
            errors += [f"{name}: {sentence}" for sentence in _sentences(error, _File)]
            continue
        prices += _entries(f"{name} entry", PriceOverride, file.prices, errors)
        aliases += _entries(f"{name} alias", Alias, file.aliases, errors)
    errors += [*_overlaps(prices), *_alias_errors(aliases)]
    if errors:
        raise OverrideError("\n".join(errors))
    return Overrides(tuple(prices), tuple(aliases))


# ---- files ----


class _Loader(yaml.SafeLoader):
    """YAML where a number keeps its digits and a key written twice is an error."""


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = loader.construct_scalar(node)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise yaml.constructor.ConstructorError(None, None, f"{text} is not a number", node.start_mark) from None


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            problem = f"`{key.value}` is written twice and the first would be ignored: delete one"
            raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _read(path: Path) -> Any:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        raise ValueError(f"line {line}, column {column}: it is not UTF-8 text: save the file as UTF-8") from None
    return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)


def _entries(place: str, kind: type[Entry], raw: Sequence[Any], errors: list[str]) -> list[tuple[str, Any]]:
    entries = []
    for number, content in enumerate(raw, start=1):
        try:
            entries.append((f"{place} {number}", kind.model_validate(content)))
        except ValueError as error:
            errors += [f"{place} {number}: {sentence}" for sentence in _sentences(error, kind)]
    return entries


# ---- sentences ----


def _sentences(error: Exception, kind: type[Entry]) -> list[str]:
    if isinstance(error, ValidationError):
        sentences = [_sentence(detail, kind) for detail in error.errors()]
        # a misspelt key is also a missing one: report it once
        meant = {
            f"`{sentence.split('`')[3]}` is missing"
            for sentence in sentences
            if sentence.startswith("unknown key") and "?" in sentence
        }
        return [sentence for sentence in sentences if not sentence.startswith(tuple(meant))]
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        hint = ": indent with spaces, not with tabs" if "'\\t'" in (error.problem or "") else ""
        return [f"line {error.problem_mark.line + 1}: {error.problem}{hint}."]
    if isinstance(error, yaml.reader.ReaderError):
        return [f"character {error.position + 1}: it holds a character that is not text: save the file as UTF-8."]
    return [f"{str(error).rstrip('.')}."]


def _sentence(detail: Any, kind: type[Entry]) -> str:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
    names = [field.alias or name for name, field in kind.model_fields.items()]
    match detail["type"]:
        case "extra_forbidden":
            nearest = get_close_matches(where, names, n=1, cutoff=0.6)
            hint = f"did you mean `{nearest[0]}`?" if nearest else f"use one of {', '.join(names)}."
            return f"unknown key `{where}`: {hint}"
        case "missing":
            return f"`{where}` is missing: add it."
        case "value_error":
            problem = f"{detail['ctx']['error']}".rstrip(".")
            problem += "" if problem.endswith("?") else "."
            return f"`{where}`: {problem}" if where else problem
        case "string_too_short":
            return f"`{where}` is blank: write a value or delete the line."
        case "string_type" if isinstance(detail["input"], int | Decimal | date):
            return f"`{where}` is {detail['input']}, which is not text: put it in quotes."
        case _:
            given = f" is {detail['input']}" if isinstance(detail["input"], str | int | Decimal) else ""
            return f"`{where or 'entry'}`{given}: {detail['msg'][0].lower()}{detail['msg'][1:].rstrip('.')}."


def _overlaps(prices: list[tuple[str, PriceOverride]]) -> Iterator[str]:
    """Two entries of one kind and scope that hold at one time leave open which price applies to an attempt."""
    alike: dict[tuple[Any, ...], list[tuple[str, PriceOverride]]] = {}
    for place, entry in sorted(prices, key=lambda found: found[1].starts_at):
        for model in sorted({*entry.model}) if entry.model else ("all models",):
            key = (entry.kind, entry.provider, entry.model is None, model, entry.scope)
            alike.setdefault(key, []).append((place, entry))
    reported = set()
    for (*_, model, _), entries in alike.items():
        for (first_place, first), (second_place, second) in combinations(entries, 2):
            is_over = first.ends_at is not None and first.ends_at <= second.starts_at
            if is_over or (first_place, second_place) in reported:
                continue
            reported.add((first_place, second_place))
            since = day_of(second.starts_at)
            end_first = f"end the first with `to: {since}` or " if first.starts_at < second.starts_at else ""
            both = _both(first_place, second_place, prices)
            yield f"{both} both {first.kind} {_name_of(first, model)} from {since}: {end_first}delete one."


def _name_of(entry: PriceOverride, model: str) -> str:
    tenant = [f"tenant {entry.tenant}"] if entry.tenant else []
    variant = [value if name in VARIANT_KEYS else f"{name}={value}" for name, value in entry.variant.items()]
    return price_name(entry.provider, model, *tenant, *variant)


def _both(first: str, second: str, prices: list[tuple[str, PriceOverride]]) -> str:
    order = [place for place, _ in prices]
    first, second = sorted((first, second), key=order.index)
    (file, _, one), (other_file, _, two) = (place.rpartition(" entry ") for place in (first, second))
    return f"{file}: entries {one} and {two}" if file == other_file else f"{first} and {second}"


def _alias_errors(aliases: list[tuple[str, Alias]]) -> Iterator[str]:
    for (first_place, first), (second_place, second) in combinations(aliases, 2):
        is_alike = (first.provider, first.model) == (second.provider, second.model)
        if is_alike and _overlap(first, second):
            yield f"{first_place} and {second_place} both name {first.provider}/{first.model}: delete one."
    for place, alias in aliases:
        if resolve(alias.to_provider, alias.to_model) is None:
            nearest = suggest(alias.to_provider, alias.to_model, limit=1)
            hint = f"did you mean {nearest[0].provider}/{nearest[0].model}?" if nearest else "name a catalogue model."
            yield f"{place}: the catalogue has no {alias.to_provider}/{alias.to_model}: {hint}"


def _overlap(one: Alias, other: Alias) -> bool:
    def ends_before(a: Alias, b: Alias) -> bool:
        return a.ends_at is not None and b.starts_at is not None and a.ends_at <= b.starts_at

    return not ends_before(one, other) and not ends_before(other, one)
