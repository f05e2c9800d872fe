"""What somebody whom no trigger stops could do to a sealed audit: eight kinds, at a seal `n`.

Each gives the number of the first seal that does not hold afterwards.
"""

from datetime import timedelta

from django.utils import timezone

from accounts.audit import hash_chain
from accounts.models import Action, AuditEvent, AuditSeal

COUNT = 20


def write(count=COUNT, **fields):
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


def change_an_event(dice, n):
    """Any column but the id, which is the next kind's."""
    column = dice.choice(hash_chain.COLUMNS[1:])
    value = {
        "at": timezone.now() - timedelta(days=dice.randrange(1, 999)),
        "actor": 10_000 + n,
        "records": [f"appointment/{n}"],
        "patients": [n, 4711],
        "changed": ["diagnosis"],
        "action": "D",
        "outcome": "refused",
    }.get(column, f"x{n}")
    _event(n).update(**{column: value})
    return n


def renumber_an_event(dice, n):
    _event(n).update(id=AuditEvent.objects.latest("pk").pk + 1)
    return n


def take_an_event_away(dice, n):
    _event(n).delete()
    return n


def take_an_event_and_its_seal_away(dice, n):
    _event(n).delete()
    AuditSeal.objects.filter(n=n).delete()
    return n


def change_a_seal(dice, n):
    AuditSeal.objects.filter(n=n).update(hash=f"{dice.getrandbits(256):064x}")
    return n


def exchange_two_events(dice, n):
    other = n % COUNT + 1
    pks = dict(AuditSeal.objects.filter(n__in=[n, other]).values_list("n", "event"))
    AuditSeal.objects.filter(n=n).update(event=None)
    AuditSeal.objects.filter(n=other).update(event=pks[n])
    AuditSeal.objects.filter(n=n).update(event=pks[other])
    return min(n, other)


def put_an_event_in(dice, n):
    """With the best seal that can be had without the key, and all that follow one further."""
    for seal in AuditSeal.objects.filter(n__gte=n).order_by("-n"):
        AuditSeal.objects.filter(pk=seal.pk).update(n=seal.n + 1)
    forged = AuditEvent.objects.create(event="appointment.cancel", action=Action.UPDATE)
    AuditSeal.objects.create(n=n, event=forged.pk, hash=f"{dice.getrandbits(256):064x}")
    return n


def cut_the_end_off(dice, n):
    pks = AuditSeal.objects.filter(n__gte=n).values_list("event", flat=True)
    AuditEvent.objects.filter(pk__in=list(pks)).delete()
    AuditSeal.objects.filter(n__gte=n).delete()
    return n


def _event(n):
    return AuditEvent.objects.filter(pk=AuditSeal.objects.get(n=n).event)


KINDS = [
    change_an_event,
    renumber_an_event,
    take_an_event_away,
    take_an_event_and_its_seal_away,
    change_a_seal,
    exchange_two_events,
    put_an_event_in,
    cut_the_end_off,
]
