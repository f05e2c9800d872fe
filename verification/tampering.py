"""Checks that the hash chain detects tampering with the audit, and measures its speed.

    python -m verification.tampering --tamperings 1000 --rows 200000 --engine postgresql

Each tampering makes a chain of events, removes the triggers, changes the chain in one of eight ways
at a random place, and verifies it. The verification must name the first broken entry. Then `--rows`
events are hashed and verified against the clock. The script exits with 1 if a tampering is missed
or the wrong entry is named.
"""

import argparse
import random
import sys
import time
from collections import Counter

from verification.server import configure, fresh_database


def tamper(kind, dice):
    """Returns (first broken entry by `verify`, first broken entry by the tampering)."""
    from django.db import connection, transaction

    from accounts.audit import append_only, hash_chain
    from accounts.tests.audit_tampering import COUNT, write_events

    with transaction.atomic():
        write_events()
        hash_chain.append_hashes()
        checkpoint = hash_chain.head()
        append_only.remove(connection)
        expected = kind(dice, dice.randrange(1, COUNT + 1))
        named = hash_chain.verify([checkpoint]).broken
        transaction.set_rollback(True)
    return named, expected


def tamperings(count, seed):
    """Returns ({kind: number found}, [(kind, named, expected)] of the failures)."""
    from accounts.tests.audit_tampering import TAMPERINGS

    dice, found, wrong = random.Random(seed), Counter(), []  # noqa: S311
    for number in range(count):
        kind = TAMPERINGS[number % len(TAMPERINGS)]
        named, expected = tamper(kind, dice)
        if named == expected:
            found[kind.__name__] += 1
        else:
            wrong.append((kind.__name__, named, expected))
    return found, wrong


def rates(rows):
    """Returns (rows hashed per second, rows verified per second) for typical events."""
    from accounts.audit import hash_chain
    from accounts.models import AuditEvent

    for start in range(0, rows, 10_000):
        AuditEvent.objects.bulk_create(
            [_event(number) for number in range(start, start + 10_000)], batch_size=1000
        )
    hashing = time.perf_counter()
    hashed = hash_chain.append_hashes()
    verifying = time.perf_counter()
    checked = hash_chain.verify()
    end = time.perf_counter()
    if (checked.n, checked.broken) != (hashed, None):
        sys.exit(f"The chain is {checked}.")
    return hashed / (verifying - hashing), checked.n / (end - verifying)


def _event(number):
    """Makes an event; every third one lists a page of 20 records."""
    from accounts.models import AuditEvent

    records = range(number, number + (20 if number % 3 == 0 else 1))
    return AuditEvent(
        actor=number % 50,
        role="doctor",
        session="08f4aba3-cd3f-4be6-a2e0-135ebe40266a",
        action="R",
        event="appointment.list",
        records=[f"appointment/{record}" for record in records],
        patients=list(records),
        request_id="865b91fd3dcf43d5b84231afe53a07f1",
        address="192.0.2.7",
    )


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options.add_argument("--tamperings", type=int, default=1000)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with fresh_database(asked.engine) as database:
        configure(database)
        found, wrong = tamperings(asked.tamperings, asked.seed)
        for kind, count in sorted(found.items()):
            print(f"  {kind.replace('_', ' ')}: {count}")
        print(
            f"{asked.engine}: {found.total()} of {asked.tamperings} found, first broken entry named"
        )
        for kind, named, expected in wrong:
            print(f"  {kind}: named {named}, was {expected}")
        hashed, verified = rates(asked.rows)
        print(f"{asked.rows} rows: {hashed:,.0f} hashed per second, {verified:,.0f} verified")
        from django.db import connection

        connection.close()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
