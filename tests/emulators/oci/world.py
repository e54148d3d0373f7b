"""What all services share: one lock, the settings, and how a list comes in pages."""

import secrets
import threading
import time
from datetime import UTC, datetime

from server import Answer, Refusal

LARGEST_PAGE = 100

# Where the API documentation leaves something open, the first choice is the default.
DEFAULTS = {
    # Seconds that an update of a deployment takes; the command line sets it.
    "update_seconds": 1.0,
    # What an update leaves out of the model's configuration: "reset" or "kept".
    "omitted": "reset",
    # Whether a live deployment refuses two changed option groups in one update.
    "one_group_at_a_time": True,
    # Whether a live deployment takes tags together with another change.
    "tags_with_size": True,
    # What an update of nothing but tags and texts does: "updating" or "immediate".
    "tags_only": "updating",
    # When tags of a larger update can be seen: "at_once" or "at_end".
    "tags_visible": "at_once",
    # Whether an inactive deployment takes updates, any number of groups at once.
    "inactive_updates": False,
    # Whether the state of a deployment is checked before the etag.
    "state_before_etag": False,
    # Instances that may be had, by shape; 0 is a shape out of quota.
    "quotas": {},
    # How many items a page of any list has at most.
    "page_size": LARGEST_PAGE,
    # Whether an empty page, which is not the last, comes before every page.
    "empty_pages": False,
    # Calls of alarm operations that are answered in one second; null is no limit.
    "alarm_calls_per_second": None,
    # Minutes without data, before the alarm's slack, until a firing stream is reset.
    "reset_minutes": 10,
    # Whether OCIDs in the dimensions of alarm messages are in upper case.
    "uppercase_ocids": False,
    # What comes twice: "off", "after" the first was acknowledged, or both "together".
    "duplicates": "off",
    # Statuses other than 2xx with which a function acknowledges a message.
    "acknowledged": [],
    # Seconds that a minute of the redelivery schedule takes; the command line sets it.
    "redelivery_minute_seconds": 60.0,
}
CHOICES = {
    "omitted": ("reset", "kept"),
    "tags_only": ("updating", "immediate"),
    "tags_visible": ("at_once", "at_end"),
    "duplicates": ("off", "after", "together"),
}


def iso(seconds):
    """A wall-clock time as the APIs write it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ocid(kind):
    return f"ocid1.{kind}.oc1.iad.{secrets.token_hex(16)}"


class World:
    def __init__(self, **overrides):
        # A thread that reads or changes anything below the services holds it.
        self.lock = threading.RLock()
        self.overrides = overrides
        self.reset()

    def reset(self):
        self.settings = {**DEFAULTS, "quotas": {}, "acknowledged": [], **self.overrides}

    def set(self, **settings):
        for name, value in settings.items():
            if name not in DEFAULTS:
                raise ValueError(f"no setting `{name}`; expected one of {sorted(DEFAULTS)}")
            if value not in CHOICES.get(name, (value,)):
                raise ValueError(f"expected one of {CHOICES[name]} for `{name}`, found `{value}`")
        self.settings.update(settings)

    def page(self, request, items):
        """The page of the items that a request selects."""
        query, size = request.query, self.settings["page_size"]
        if "limit" in query:
            size = min(size, limit(query["limit"]))
        at, gap = place(query.get("page"), self.settings["empty_pages"])
        if gap:
            return Answer(200, [], {"opc-next-page": f"page-{at}"})
        headers = {}
        if at + size < len(items):
            gap = "gap" if self.settings["empty_pages"] else "page"
            headers["opc-next-page"] = f"{gap}-{at + size}"
        return Answer(200, items[at : at + size], headers)


def limit(text):
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise Refusal(400, "InvalidParameter", f"limit `{text}` is not between 1 and 1000")
    return int(text)


def place(token, gaps):
    """Where a page begins, and whether an empty one comes before it."""
    if token is None:
        return 0, gaps
    kind, _, at = token.partition("-")
    if kind not in ("page", "gap") or not at.isdecimal():
        raise Refusal(400, "InvalidParameter", f"page `{token}` is none that was given out")
    return int(at), kind == "gap"


def in_order(items, query, default, descending=()):
    """The items by sortBy and sortOrder; what is in descending comes so by default."""
    by = query.get("sortBy", default)
    order = query.get("sortOrder", "DESC" if by in descending else "ASC")
    if order not in ("ASC", "DESC"):
        raise Refusal(400, "InvalidParameter", f"sortOrder `{order}` is neither ASC nor DESC")
    if any(by not in item for item in items):
        raise Refusal(400, "InvalidParameter", f"cannot sort by `{by}`")
    ascending = sorted(items, key=lambda item: str(item[by]))
    # Turned round, so that of two in one millisecond the newer comes first.
    return ascending[::-1] if order == "DESC" else ascending


def required(query, name):
    if not query.get(name):
        raise Refusal(400, "MissingParameter", f"expected the query parameter `{name}`")
    return query[name]


def expect_etag(request, etag):
    wanted = request.headers.get("if-match")
    if wanted is not None and wanted != etag:
        raise Refusal(412, "NoEtagMatch", "the resource has changed since that etag was given")


class RetryTokens:
    """Makes a creation that is sent again give what the first one made."""

    def __init__(self):
        self.used = {}

    def once(self, request, existing, create):
        """The id of what was created under the request's token, or of what create makes now."""
        token = request.headers.get("opc-retry-token")
        if token is None:
            return create()
        if token not in self.used:
            identity = create()
            self.used[token] = (identity, request.decoded)
            return identity
        identity, body = self.used[token]
        if body != request.decoded:
            message = "the retry token was used for a request with another body"
            raise Refusal(400, "InvalidParameter", message)
        if identity not in existing:
            message = "the retry token was used for something that is deleted since"
            raise Refusal(409, "InvalidatedRetryToken", message)
        return identity


class Throttle:
    """Counts the calls of the last second."""

    def __init__(self):
        self.calls = []

    def expect_room(self, most):
        now = time.monotonic()
        self.calls = [call for call in self.calls if now - call < 1]
        if most is not None and len(self.calls) >= most:
            raise Refusal(429, "TooManyRequests", "too many requests for the tenancy")
        self.calls.append(now)
