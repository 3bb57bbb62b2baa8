"""The nearest catalogue names for a pair that the catalogue does not know: for people to pick from, not to price by."""

import re
from difflib import SequenceMatcher
from functools import cache
from itertools import islice
from typing import NamedTuple

from genai_prices.data_snapshot import get_snapshot

from pricing.catalogue import PLACEHOLDER_MODELS, known_provider, resolve

# Below this likeness names share letters, not a family.
LIKENESS = 0.7
SAME_PROVIDER_BONUS = 0.1
BASE_SCORE = 0.9  # of a name that the reported one extends: nearer than any likeness of letters, after the same name
SHORTEST_BASE = 5
_DATE_OR_VERSION = re.compile(r"[-@:](20\d{2}-?\d{2}-?\d{2}|\d{3,4}|v\d+|latest|preview|exp|beta)(?=[-@:]|$)")


class Suggestion(NamedTuple):
    """A catalogue name that resembles what a sender reported, and in what.

    Its text is `provider/model (reason)`: a provider has no slash and a reason no brackets, so SQL takes it apart again
    (int_override_snippets).
    """

    provider: str
    model: str
    reason: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} ({self.reason})"


def suggest(provider: str, model: str, limit: int = 3) -> list[Suggestion]:
    """The catalogue names nearest to (provider, model), best first; none for placeholders and names like no other."""
    name = _core(model)
    if name in PLACEHOLDER_MODELS:
        return []
    home = known_provider(provider) or known_provider(model.partition("/")[0] if "/" in model else "")
    matcher, scored = SequenceMatcher(autojunk=False), []
    matcher.set_seq2(name)
    for candidate, places in _names().items():
        matcher.set_seq1(candidate)
        # a fine-tune keeps the words of its base
        is_base = len(candidate) >= SHORTEST_BASE and _words(candidate) < _words(name)
        if not is_base and (
            matcher.real_quick_ratio() < LIKENESS or matcher.quick_ratio() < LIKENESS or matcher.ratio() < LIKENESS
        ):
            continue
        for provider_id, model_id in places:
            at_home = home is not None and provider_id == home.id
            likeness = "same name" if candidate == name else "its words are in the name" if is_base else "similar name"
            ratio = BASE_SCORE + len(candidate) / 1000 if is_base else matcher.ratio()
            score = ratio + (SAME_PROVIDER_BONUS if at_home else 0)
            where = "same provider" if at_home else "another provider"
            scored.append((-score, provider_id, model_id, f"{likeness}, {where}"))
    # a suggestion is there to be written into an alias, which must resolve: 85 of 2,330 catalogue names do not
    nameable = (Suggestion(*rest) for _, *rest in sorted(scored) if resolve(rest[0], rest[1]))
    return list(islice(nameable, limit))


def _words(core: str) -> set[str]:
    return set(re.split(r"[-_ ]", core))


@cache
def _names() -> dict[str, list[tuple[str, str]]]:
    names: dict[str, list[tuple[str, str]]] = {}
    for provider in get_snapshot().providers:
        for model in provider.models:
            names.setdefault(_core(model.id), []).append((provider.id, model.id))
    return names


def _core(model: str) -> str:
    """A model's name without its vendor, date and version, words sorted: `gemini-flash-1.5` is `gemini-1.5-flash`."""
    name = _DATE_OR_VERSION.sub("", model.strip().lower().rpartition("/")[2])
    return " ".join(sorted(re.split(r"[-_:@ ]", name)))
