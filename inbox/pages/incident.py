"""An incident: its checklists, what can be written next, its events; or an alert that has none yet. Written by `save`."""

import secrets
from collections.abc import Mapping

from inbox import incidents, words
from inbox.alerts import alert_of
from inbox.filters import Filters
from inbox.marts import Row
from inbox.page import File, NotFoundError, Page, Visit
from inbox.pages.inbox import alert_address

LATEST = "select incident_id, title, status from incidents order by status = 'closed', opened_at desc limit 8"


def show(visit: Visit) -> Page | File:
    """The incident that the address names, or that of its alert."""
    return page_of(visit)


def page_of(visit: Visit, problem: str = "", said: Mapping[str, str] | None = None) -> Page | File:
    """The page; with what could not be written, and why, after a form that was refused."""
    wanted, alert_id = visit.words.get("incident", ""), visit.filters.alert
    if not wanted and alert_id:
        wanted = incidents.incident_of(visit.settings, alert_id) or ""
    life = incidents.life_of(visit.settings, visit.marts, wanted) if wanted else None
    if life:
        alert_id = life.state.alert_id or alert_id
    alert = alert_of(visit.marts, alert_id)
    if life is None and (wanted or alert is None):
        raise _unknown(visit, wanted or alert_id or "")
    if visit.words.get("format") == "md":
        return _note(visit, wanted, alert)
    filters = _filters(visit.filters, alert)
    return Page(
        "incident.html",
        f"Incident {wanted}" if life else "No incident yet",
        {
            "f": filters,
            "life": life,
            "alert": alert,
            "title": words.title(alert, alert) if alert else (life.state.title if life else "") or "Incident",
            "alert_address": alert_address(filters, alert) if alert else None,
            "note": filters.address("incident", incident=wanted or None, format="md"),
            "topic": incidents.topic_of(visit.settings, alert["alert_id"]) if alert else None,
            "plan": incidents.plan_of(visit.settings, alert) if alert else None,
            "problem": problem,
            "writes": visit.person.may_write,
            "said": said or {},
            "actor": _author(visit, said or {}) or visit.person.name,
            "event": secrets.token_hex(12),
            "spike_types": incidents.SPIKE_TYPES,
        },
    )


def save(visit: Visit, said: Mapping[str, str]) -> str:
    """Lands what a form says; returns the address that shows it. Raises ValueError with a sentence."""
    words_of = incidents.written(visit.settings, visit.marts, said, _author(visit, said))
    alert = words_of.get("alert")
    return visit.filters.address("incident", **({"alert": alert} if alert else {}), incident=words_of.get("incident"))


def _author(visit: Visit, said: Mapping[str, str]) -> str:
    """Who writes: whoever logged in, or without a login the name in the form."""
    return visit.person.name if visit.person.is_known else said.get("by", "")


def _filters(given: Filters, alert: Row | None) -> Filters:
    return given if alert is None else Filters(**vars(given) | {"alert": alert["alert_id"]})


def _note(visit: Visit, incident: str, alert: Row | None) -> File:
    """The postmortem in Markdown, as `make postmortem` prints it."""
    from orchestration.incidents.finding import CannotError
    from orchestration.incidents.postmortem import postmortem

    try:
        text = postmortem(visit.marts.connection, incident or None, alert["alert_id"] if alert else None)
    except CannotError:
        try:
            text = postmortem(visit.marts.connection, None, alert["alert_id"] if alert else None)
        except CannotError as error:
            raise NotFoundError("No note yet", f"The next run writes the note: {error}") from None
    return File("postmortem.md", "text/markdown", text)


def _unknown(visit: Visit, wanted: str) -> NotFoundError:
    rows = visit.marts.rows(LATEST)
    links = [
        (
            f"{row['incident_id']}: {row['title'] or 'no title'} ({row['status']})",
            visit.filters.address("incident", incident=row["incident_id"], alert=None),
        )
        for row in rows
    ]
    sentence = (
        f"Neither a landed event nor an alert has the id {words.name(wanted)}." if wanted else "The address names none."
    )
    return NotFoundError("Which incident?", f"{sentence} An incident is opened from its alert.", links)
