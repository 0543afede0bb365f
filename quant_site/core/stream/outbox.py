"""The outbox as the stream reads it: what is new, what a client missed, and its pruning. Called from threads."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q

from quant_site.core.models import OutboxEvent
from quant_site.core.selectors import accounts_for

BATCH = 500
REPLAY_LIMIT = 1000
PRUNE_BATCH = 5000
GAP_SECONDS = 10.0
GAP_REACH = 200


@dataclass(frozen=True)
class Event:
    """One row, encoded once for all who get it; or an answer to one client, which has no id."""

    id: int | None
    topic: str
    account_id: str
    text: str


@dataclass
class Cursor:
    """How far the table was read, and which lower ids may still appear.

    Ids are drawn before their transactions commit, so on MySQL a lower one can become visible after a higher one. An
    id that was skipped is looked for during `GAP_SECONDS`; after that it belongs to a rollback.
    """

    position: int = 0
    gaps: dict[int, float] = field(default_factory=dict)

    def advance(self, ids: list[int], now: float) -> None:
        """Note that `ids` (ascending) were read at `now` (monotonic seconds)."""
        for id in ids:
            if id <= self.position:
                self.gaps.pop(id, None)
                continue
            for skipped in range(max(self.position + 1, id - GAP_REACH), id):
                self.gaps[skipped] = now + GAP_SECONDS
            self.position = id

    def awaited(self, now: float) -> list[int]:
        """The ids to look for besides those above `position`."""
        self.gaps = {id: until for id, until in self.gaps.items() if until > now}
        return list(self.gaps)


def cursor_at_end(now: float) -> Cursor:
    """A cursor behind the newest event, which waits for what was not yet committed among the last ids."""
    recent = sorted(OutboxEvent.objects.order_by("-id").values_list("id", flat=True)[:GAP_REACH])
    cursor = Cursor(position=recent[0] - 1 if recent else 0)
    cursor.advance(recent, now)
    return cursor


def events_new(cursor: Cursor, now: float) -> list[Event]:
    """At most `BATCH` events the cursor has not seen; moves it behind them."""
    unseen = Q(id__gt=cursor.position)
    awaited = cursor.awaited(now)
    if awaited:
        unseen |= Q(id__in=awaited)
    events = _read(OutboxEvent.objects.filter(unseen).order_by("id")[:BATCH])
    cursor.advance([new.id for new in events], now)
    return events


def events_missed(*, user, since: int, topics: frozenset[str] | None) -> tuple[list[Event], bool]:
    """The newest events after `since` that `user` may see, ascending, and whether older ones are missing.

    `topics` None means all. They are missing beyond `REPLAY_LIMIT`, and where the outbox was pruned.
    """
    visible = Q(account_id="") | Q(account_id__in=accounts_for(user).values("pk"))
    missed = OutboxEvent.objects.filter(visible, id__gt=since)
    if topics is not None:
        wanted = Q(pk__in=[])
        for topic in topics:
            wanted |= Q(type=topic) | Q(type__startswith=f"{topic}.")
        missed = missed.filter(wanted)
    events = _read(missed.order_by("-id")[: REPLAY_LIMIT + 1])[::-1]
    oldest = OutboxEvent.objects.order_by("id").values_list("id", flat=True).first()
    pruned = oldest is not None and since < oldest - 1
    return events[-REPLAY_LIMIT:], pruned or len(events) > REPLAY_LIMIT


def events_prune(*, before: datetime) -> int:
    """Delete the events up to the first one from `before` or later; returns how many.

    Only from the old end, so that whoever asks for what is gone is told so: a replay's events carry the dates of its
    sessions and go with the older ones around them. The newest row stays, whatever its date.
    """
    newest = OutboxEvent.objects.order_by("-id").values_list("id", flat=True).first()
    kept_from = OutboxEvent.objects.filter(at__gte=before).order_by("id").values_list("id", flat=True).first() or newest
    deleted = 0
    while ids := list(OutboxEvent.objects.filter(id__lt=kept_from or 0).order_by("id").values_list("id", flat=True)[:PRUNE_BATCH]):
        deleted += OutboxEvent.objects.filter(id__gte=ids[0], id__lte=ids[-1]).delete()[0]
    return deleted


def event(*, id: int | None, type: str, payload: dict, at: datetime | None = None, account: str = "") -> Event:
    text = json.dumps({"id": id, "type": type, "at": at, "account": account, "payload": payload}, cls=DjangoJSONEncoder)
    return Event(id, type.partition(".")[0], account, text)


def _read(rows) -> list[Event]:
    return [
        event(id=id, type=type, at=at, account=account, payload=payload)
        for id, type, account, at, payload in rows.values_list("id", "type", "account_id", "at", "payload")
    ]
