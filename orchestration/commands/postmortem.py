"""The postmortem note of an incident or an alert: `make postmortem INCIDENT=<id>` or `make postmortem ALERT=<id>` prints it."""

import os
import sys

from orchestration.incidents.events import known_events
from orchestration.incidents.finding import CannotError, alert_meant, alerts, incident_meant
from orchestration.incidents.postmortem import postmortem
from orchestration.incidents.states import incidents
from orchestration.plain import Arguments, readable, visible
from orchestration.settings import from_environment
from orchestration.warehouse import open_marts


def main(arguments: list[str] | None = None) -> int:
    """Prints the note; 2 with a sentence on stderr when there is none. Ids may be cut to their beginning."""
    parser = Arguments(prog="python -m orchestration.commands.postmortem", description=__doc__)
    parser.add_argument("--incident", default=os.environ.get("INCIDENT"), help="incident_id (default: $INCIDENT)")
    parser.add_argument("--alert", default=os.environ.get("ALERT"), help="alert_id (default: $ALERT)")
    chosen = parser.parse_args(arguments)
    try:
        settings = from_environment()
        if not (chosen.incident or chosen.alert):
            raise CannotError("Which one? make postmortem INCIDENT=<incident_id>, or ALERT=<alert_id>.")
        found, known = alerts(settings), known_events(settings)
        incident = alert = None
        if chosen.incident:
            name = readable("INCIDENT", chosen.incident, "make postmortem INCIDENT=<incident_id>")
            incident = incident_meant(incidents(settings, known), known, name)
        else:
            alert = alert_meant(found, known, readable("ALERT", chosen.alert, "make postmortem ALERT=<alert_id>"))
        with open_marts(settings) as marts:
            print(visible(postmortem(marts, incident, alert), keep="\n"))
    except (ValueError, OSError) as error:  # CannotError, or a setting that cannot be read
        print(visible(error, keep="\n"), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
