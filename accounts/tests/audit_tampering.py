"""Eight ways to tamper with a hashed audit log once the triggers are gone, at chain entry `n`.

Each returns the number of the first chain entry that no longer verifies.
"""

from datetime import timedelta

from django.utils import timezone

from accounts.audit import hash_chain
from accounts.models import Action, AuditEvent, AuditSeal

COUNT = 20


def write_events(count=COUNT, **fields):
    AuditEvent.objects.bulk_create(
        AuditEvent(
            event="consultation.retrieve",
            action=Action.READ,
            actor=number,
            records=[f"consultation/{number}"],
            patients=[number],
            **fields,
        )
        for number in range(count)
    )


def change_event(rng, n):
    """Changes any column but the id; `renumber_event` changes the id."""
    column = rng.choice(hash_chain.COLUMNS[1:])
    value = {
        "at": timezone.now() - timedelta(days=rng.randrange(1, 999)),
        "actor": 10_000 + n,
        "records": [f"appointment/{n}"],
        "patients": [n, 4711],
        "changed": ["diagnosis"],
        "action": "D",
        "outcome": "refused",
    }.get(column, f"x{n}")
    _event(n).update(**{column: value})
    return n


def renumber_event(rng, n):
    _event(n).update(id=AuditEvent.objects.latest("pk").pk + 1)
    return n


def delete_event(rng, n):
    _event(n).delete()
    return n


def delete_event_and_entry(rng, n):
    _event(n).delete()
    AuditSeal.objects.filter(n=n).delete()
    return n


def change_hash(rng, n):
    AuditSeal.objects.filter(n=n).update(hash=f"{rng.getrandbits(256):064x}")
    return n


def swap_two_events(rng, n):
    other = n % COUNT + 1
    pks = dict(AuditSeal.objects.filter(n__in=[n, other]).values_list("n", "event"))
    AuditSeal.objects.filter(n=n).update(event=None)
    AuditSeal.objects.filter(n=other).update(event=pks[n])
    AuditSeal.objects.filter(n=n).update(event=pks[other])
    return min(n, other)


def insert_event(rng, n):
    """Inserts an event with a forged hash and renumbers the entries after it."""
    for entry in AuditSeal.objects.filter(n__gte=n).order_by("-n"):
        AuditSeal.objects.filter(pk=entry.pk).update(n=entry.n + 1)
    forged = AuditEvent.objects.create(event="appointment.cancel", action=Action.UPDATE)
    AuditSeal.objects.create(n=n, event=forged.pk, hash=f"{rng.getrandbits(256):064x}")
    return n


def truncate_chain(rng, n):
    pks = AuditSeal.objects.filter(n__gte=n).values_list("event", flat=True)
    AuditEvent.objects.filter(pk__in=list(pks)).delete()
    AuditSeal.objects.filter(n__gte=n).delete()
    return n


def _event(n):
    return AuditEvent.objects.filter(pk=AuditSeal.objects.get(n=n).event)


TAMPERINGS = [
    change_event,
    renumber_event,
    delete_event,
    delete_event_and_entry,
    change_hash,
    swap_two_events,
    insert_event,
    truncate_chain,
]
