"""Situations that users of other tools reported, each with its right answer: one run holds them all."""

from pathlib import Path

import pytest

from tests.bugs import BUGS, differences, read_cases, run

CASES = read_cases(BUGS)  # empty where the shared data is absent


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_data) -> Path:
    """A root in which every case landed, built with every test and published."""
    root = tmp_path_factory.mktemp("bugs") / "data"
    run(root, CASES)
    return root


@pytest.mark.parametrize("name", CASES)
def test_the_marts_say_what_the_case_expects(world, name):
    assert differences(world, CASES[name]) == []
