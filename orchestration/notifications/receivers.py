"""What receivers that are machines get besides the words: JSON for a webhook, a key that stays the same for a pager, and an end.

apprise sends them; this module sets the fields of its services that have a place for them. docs/operate.md describes the JSON.
"""

from typing import Any
from urllib.parse import quote

import requests
from apprise import NotificationManager
from apprise.common import NotifyType
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP, NotifyOpsgenie
from apprise.plugins.pagerduty import NotifyPagerDuty

from orchestration.notifications.letters import Letter

SCHEMA = "tokentrail.message/1"  # the number moves when a field is renamed or removed; new fields may come at any time
# Fields of a service that a letter changes: each begins with what its address says.
OF_THE_ADDRESS = ("headers", "payload_extras", "details", "click", "dedup", "alias")


class Opsgenie(NotifyOpsgenie):
    """Closes an alert by its alias: apprise knows only the requests that its own process sent, and a run is another process."""

    def send(self, body: str, title: str = "", notify_type: NotifyType = NotifyType.INFO, **options: Any) -> bool:
        """Opens an alert or, with an end, closes it."""
        if notify_type != NotifyType.SUCCESS or not self.alias:
            return super().send(body, title, notify_type, **options)
        address = f"{OPSGENIE_API_LOOKUP[self.region_name]}/{quote(self.alias, safe='')}/close"
        is_closed, _ = self._fetch(
            requests.post, address, {"source": self.app_desc, "note": body}, {"identifierType": "alias"}
        )
        return is_closed


NotificationManager().add(Opsgenie, force=True)


def equip(service: Any, letter: Letter) -> tuple[str, str]:
    """Sets what a service takes besides title and body, and returns these two as it should send them."""
    own = vars(service).setdefault("of_the_address", {name: getattr(service, name, None) for name in OF_THE_ADDRESS})
    title, body = letter.title, letter.body
    if isinstance(own["headers"], dict):  # json://, xml://, form:// and e-mail
        service.headers = own["headers"] | {"Idempotency-Key": letter.key}
    if isinstance(service, NotifyJSON):
        service.payload_extras = own["payload_extras"] | {"schema": SCHEMA, "messages": list(letter.messages)}
    if isinstance(service, NotifyPagerDuty):  # its summary is a headline of 1,024 characters at most
        alerts = [alert for message in letter.messages for alert in message["alerts"]]
        first = dict(alerts[0]) if len(alerts) == 1 else {"alerts": alerts} if alerts else {}
        service.details = own["details"] | {"message": letter.body} | first
        service.click = own["click"] or letter.link or None
        title, body = "", letter.title
    if isinstance(service, NotifyOpsgenie):
        service.alias = own["alias"] or letter.dedup_key
    if hasattr(service, "dedup"):  # PagerDuty, incident.io, ilert, Squadcast, FireHydrant, GoAlert
        service.dedup = own["dedup"] or letter.dedup_key
        if "map" in service.template_args["action"]["values"]:
            service.action = "map"
    return title, body
