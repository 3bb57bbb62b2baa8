"""Leaves: every token in exactly one of them, and the right price for each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.units import (
    LEAVES,
    OTHER_UNITS,
    REGISTRY,
    Usage,
    coverage,
    leaves_from,
    most_specific,
    other_from,
)

TOKENS = st.integers(0, 1_000_000)


def test_the_leaves_are_the_interface():
    assert " ".join(leaf.name for leaf in LEAVES) == (
        "uncached_input cached_input cache_write_5m cache_write_30m cache_write_1h cache_write_12h uncached_audio "
        "cached_audio uncached_image cached_image input_video text_output reasoning output_audio output_image "
        "output_video web_searches billed_requests"
    )


def test_every_registry_unit_is_a_leaf_or_other_or_the_sum_of_writes():
    assert set(OTHER_UNITS) | {leaf.unit for leaf in LEAVES} | {"cache_write_tokens"} == set(REGISTRY.units)
    assert {"input_tool_tokens", "output_citation_tokens", "audio_seconds", "storage_searches"} <= set(OTHER_UNITS)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_leaves_of_a_request_add_up_to_its_input_and_output(data):
    tokens = {
        name: data.draw(TOKENS, label=name)
        for name in ("text", "cached", "written", "written_1h", "audio", "cached_audio")
    }
    image, cached_image, video, tool, reply, thought, speech, drawing = (data.draw(TOKENS) for _ in range(8))
    usage = Usage(
        input_tokens=sum(tokens.values()) + image + cached_image + video + tool,
        output_tokens=reply + thought + speech + drawing,
        cache_read_tokens=tokens["cached"] + tokens["cached_audio"] + cached_image,
        cache_write_tokens=tokens["written"] + tokens["written_1h"],
        cache_write_1h_tokens=tokens["written_1h"],
        input_audio_tokens=tokens["audio"] + tokens["cached_audio"],
        cache_audio_read_tokens=tokens["cached_audio"],
        input_image_tokens=image + cached_image,
        cache_image_read_tokens=cached_image,
        input_video_tokens=video,
        reasoning_tokens=thought,
        output_audio_tokens=speech,
        output_image_tokens=drawing,
        other={"input_tool_tokens": tool},
    )
    leaves, others = leaves_from(usage), other_from(usage)
    assert leaves["uncached_input"] == tokens["text"]
    assert leaves["cached_input"] == tokens["cached"]
    assert leaves["cache_write_5m"] == tokens["written"]
    assert leaves["uncached_audio"] == tokens["audio"]
    assert leaves["text_output"] == reply
    counted = sum(count for name, count in leaves.items() if name not in ("web_searches", "billed_requests"))
    assert counted + sum(others.values()) == usage.input_tokens + usage.output_tokens


def test_a_part_reported_without_its_sum_is_still_counted_once():
    leaves = leaves_from(Usage(input_tokens=100, output_tokens=0, cache_write_1h_tokens=30, cache_audio_read_tokens=5))
    assert (leaves["cache_write_1h"], leaves["cache_write_5m"]) == (30, 0)
    assert (leaves["cached_audio"], leaves["uncached_audio"], leaves["cached_input"]) == (5, 0, 0)
    assert leaves["uncached_input"] == 100 - 30 - 5


def test_writes_are_disjoint_by_their_time_to_live():
    writes = {"cache_write_30m_tokens": 40, "cache_write_1h_tokens": 30, "cache_write_12h_tokens": 20}
    leaves = leaves_from(Usage(input_tokens=1000, cache_write_tokens=100, **writes))
    kinds = ("cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h")
    assert [leaves[name] for name in kinds] == [10, 40, 30, 20]
    assert leaves["uncached_input"] == 900


def test_cached_video_is_taken_out_of_video_and_of_cache_reads_once():
    usage = Usage(input_tokens=100, cache_read_tokens=80, input_video_tokens=90, other={"cache_video_read_tokens": 78})
    leaves = leaves_from(usage)
    assert (leaves["cached_input"], leaves["input_video"], leaves["uncached_input"]) == (2, 12, 8)
    assert other_from(usage) == {"cache_video_read_tokens": 78}


def test_text_counts_repeat_what_the_remainder_already_holds():
    usage = Usage(input_tokens=100, input_audio_tokens=20, other={"input_text_tokens": 80})
    assert leaves_from(usage)["uncached_input"] == 80
    assert other_from(usage) == {}


def test_an_absent_total_leaves_the_remainder_unknown_and_the_parts_known():
    leaves = leaves_from(Usage(output_tokens=7, cache_read_tokens=3))
    assert (leaves["uncached_input"], leaves["cached_input"], leaves["text_output"]) == (None, 3, 7)


@pytest.mark.parametrize(
    ("usage", "uncached", "text"),
    [
        (Usage(total_tokens=10, input_tokens=7), 7, 3),
        (Usage(total_tokens=10, output_tokens=3), 7, 3),
        (Usage(total_tokens=10), None, None),
    ],
)
def test_the_missing_side_comes_from_the_total(usage, uncached, text):
    leaves = leaves_from(usage)
    assert (leaves["uncached_input"], leaves["text_output"]) == (uncached, text)


def test_nothing_reported_is_not_zero():
    assert set(leaves_from(Usage()).values()) == {None}
    assert leaves_from(Usage(input_tokens=0, output_tokens=0))["billed_requests"] == 1


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_tokens=10, cache_read_tokens=11),
        Usage(input_tokens=100, cache_write_tokens=5, cache_write_1h_tokens=6),
        Usage(output_tokens=10, reasoning_tokens=6, output_audio_tokens=5),
        Usage(total_tokens=5, output_tokens=6),
    ],
)
def test_parts_beyond_their_total_are_an_error(usage):
    with pytest.raises(ValueError, match=r"less than its parts together|cannot be negative"):
        leaves_from(usage)


def test_the_narrowest_priced_unit_wins():
    one_hour = REGISTRY.units["cache_write_1h_tokens"].dimensions
    assert most_specific(one_hour, ["input_tokens", "cache_write_tokens", "output_tokens"]) == "cache_write_tokens"
    assert most_specific(one_hour, ["input_tokens"]) == "input_tokens"
    assert most_specific(one_hour, ["output_tokens"]) is None


def test_two_overlapping_rates_need_a_rate_for_what_they_share():
    with pytest.raises(ValueError, match="price cache_audio_read_tokens too"):
        coverage(frozenset({"input_tokens", "cache_read_tokens", "input_audio_tokens"}))


def test_a_leaf_at_its_parents_rate_is_a_fallback():
    _, _, fallbacks = coverage(frozenset({"input_tokens", "output_tokens", "cache_write_tokens"}))
    assert {"cached_input", "cache_write_30m", "cache_write_1h", "cache_write_12h", "reasoning"} <= set(fallbacks)
    assert not {"uncached_input", "text_output", "cache_write_5m", "web_searches", "billed_requests"} & set(fallbacks)
