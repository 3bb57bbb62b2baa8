"""The nearest catalogue names for a pair that the catalogue does not know: for people to pick from, not to price by.

`same model` stands for a name that agrees with the reported one in family, version, size and edition, at the provider that
billed it or one whose models it sells: only such a name is offered to be pasted (int_override_snippets).
"""

import re
from difflib import SequenceMatcher
from functools import cache
from itertools import islice
from typing import NamedTuple

from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

from pricing.catalogue import PLACEHOLDER_MODELS, is_free, known_provider, resolve
from pricing.names import is_same_model

# Below this likeness names share letters, not a family.
LIKENESS = 0.7
SAME_PROVIDER_BONUS = 0.1
SAME_MODEL_BONUS = 1  # nearer than whatever only resembles it
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
        # a fine-tune keeps the words of its base; a vendor's name alone is not a base
        is_base = len(candidate) >= SHORTEST_BASE and " " in candidate and _words(candidate) < _words(name)
        if not is_base and (
            matcher.real_quick_ratio() < LIKENESS or matcher.quick_ratio() < LIKENESS or matcher.ratio() < LIKENESS
        ):
            continue
        for provider_id, model_id in places:
            if not _may_be_meant(home, provider_id, model_id):
                continue
            at_home = home is not None and provider_id == home.id
            is_same = _sells(home, provider_id) and is_same_model(model, model_id)
            likeness = (
                "same model"
                if is_same
                else "same name"
                if candidate == name
                else "its words are in the name"
                if is_base
                else "similar name"
            )
            ratio = BASE_SCORE + len(candidate) / 1000 if is_base else matcher.ratio()
            score = ratio + (SAME_PROVIDER_BONUS if at_home else 0) + (SAME_MODEL_BONUS if is_same else 0)
            where = "same provider" if at_home else "another provider"
            scored.append((-score, provider_id, model_id, f"{likeness}, {where}"))
    # a suggestion is there to be written into an alias, which must resolve: 85 of 2,330 catalogue names do not
    nameable = (Suggestion(*rest) for _, *rest in sorted(scored) if resolve(rest[0], rest[1]))
    return list(islice(nameable, limit))


def _may_be_meant(home: types.Provider | None, provider_id: str, model_id: str) -> bool:
    """Not where it is free and the call was billed by somebody else: a price of 0 is a plan or a promotion."""
    if home is not None and provider_id == home.id:
        return True
    found = resolve(provider_id, model_id)
    return found is None or not is_free(found.provider, found.model)


def _sells(home: types.Provider | None, provider_id: str) -> bool:
    """Whether calls billed by a provider may be of another's models: its own, and those that it resells; any if unknown."""
    return home is None or provider_id in {home.id, *(home.fallback_model_providers or ())}


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
