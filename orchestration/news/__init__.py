"""What is new since the last run, and so whether a run has anything to do and which models it builds: one decision for all.

`make run`, the schedules and the sensor ask `news`; the build asks `models_to_build`. inputs.py says what a run depends on, one hash
for each kind of it; clock.py when time alone changes something; decision.py keeps what the last run that succeeded had read, and
compares; selection.py finds the models that a difference reaches, and the views among them that stay, from dbt's manifest.
"""

from orchestration.news.decision import EVERYTHING, HOURLY, News, begin, news, note, remember
from orchestration.news.inputs import KINDS, READ_BY_READERS
from orchestration.news.selection import models_to_build, views_that_stay

__all__ = [
    "EVERYTHING",
    "HOURLY",
    "KINDS",
    "READ_BY_READERS",
    "News",
    "begin",
    "models_to_build",
    "news",
    "note",
    "remember",
    "views_that_stay",
]
