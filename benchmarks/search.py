"""How long PostgreSQL searches among a million people, and how often misspellings are understood.

    python -m benchmarks.search --people 1000000

Names are drawn from made-up syllables, so that most are unique and many are alike. The script
measures the time of EXPLAIN ANALYZE for the query of the API's search, without and with a
misspelled letter, and the share of misspelled names whose person is among the first five rows.
"""

import argparse
import random
import sys
from collections import Counter
from statistics import median, quantiles

from verification.server import configure, fresh_database

BEGINNINGS = [
    "ba",
    "be",
    "bri",
    "ca",
    "cha",
    "con",
    "da",
    "do",
    "el",
    "fa",
    "fle",
    "ga",
    "gre",
    "ha",
    "hu",
    "il",
    "ja",
    "jo",
    "ka",
    "kle",
    "la",
    "lu",
    "ma",
    "mo",
    "na",
]
MIDDLES = [
    "ber",
    "con",
    "dar",
    "fen",
    "gar",
    "hel",
    "kin",
    "lan",
    "mer",
    "nor",
    "pel",
    "ros",
    "sam",
    "ten",
    "ver",
    "wil",
    "zan",
]
ENDS = [
    "a",
    "an",
    "berg",
    "den",
    "e",
    "er",
    "es",
    "ford",
    "hoff",
    "i",
    "ina",
    "is",
    "ley",
    "man",
    "mann",
    "n",
    "o",
    "ova",
    "roy",
    "sen",
    "ski",
    "son",
    "ton",
    "y",
]
SEARCHES, MISSPELLINGS = 200, 500
FIRST = 5
BATCH = 20_000


def name(dice, middles):
    parts = [dice.choice(BEGINNINGS), *(dice.choice(MIDDLES) for _ in range(middles))]
    return "".join([*parts, dice.choice(ENDS)]).capitalize()


def fill(count, dice):
    """Inserts patients; returns [(id, first name, last name)] of those to search for."""
    from datetime import date, timedelta

    from accounts.models import User

    searched = []
    for start in range(0, count, BATCH):
        people = []
        for number in range(start, min(start + BATCH, count)):
            person = User(
                username=f"p{number}",
                first_name=name(dice, dice.randrange(2)),
                last_name=name(dice, 1 + dice.randrange(2)),
                email=f"p{number}@example.com",
                phone=f"+49 30 {dice.randrange(10**7, 10**8)}",
                date_of_birth=date(1930, 1, 1) + timedelta(days=dice.randrange(30_000)),
                password="!",  # noqa: S106
            )
            person.update_search_text()
            people.append(person)
        made = User.objects.bulk_create(people)
        searched += dice.sample(made, min(len(made), 200))
    return dice.sample(searched, min(len(searched), SEARCHES + MISSPELLINGS))


def misspelled(text, dice):
    """Replaces, drops or doubles one letter."""
    place = dice.randrange(len(text))
    letter = dice.choice("abcdefghijklmnopqrstuvwxyz")
    change = dice.choice([letter, "", text[place] + letter])
    return text[:place] + change + text[place + 1 :]


def found(query):
    """Returns (the first rows, milliseconds of PostgreSQL, names of the indexes)."""
    import json

    from config.db.search import search
    from patients.models import Patient

    rows, order = search(Patient.objects.filter(is_active=True), ["search_text"], query)
    page = rows.order_by(*order, "sort_last_name", "sort_first_name", "pk")[:20]
    [plan] = json.loads(page.explain(format="json", analyze=True))
    return list(page[:FIRST]), plan["Execution Time"], set(indexes(plan["Plan"]))


def indexes(plan):
    if "Index Name" in plan:
        yield plan["Index Name"]
    for part in plan.get("Plans", ()):
        yield from indexes(part)


def queries_of(person, dice):
    first, last = person.first_name, person.last_name
    born = person.date_of_birth
    return dice.choice([
        f"{first} {last}", f"{last}, {first}", f"{last} {born:%d.%m.%Y}", f"{born:%Y-%m-%d} {last}",
        person.phone, last, last.upper(),
    ])  # fmt: skip


def report(title, times, used):
    p95 = quantiles(times, n=20)[-1]
    print(f"{title}: median {median(times):.1f} ms, p95 {p95:.1f} ms, {dict(used)}", flush=True)
    return p95


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311
    with fresh_database("postgresql") as database:
        configure(database)
        from django.db import connection

        people = fill(options.people, dice)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE accounts_user")
        times, used = [], Counter()
        for person in people[:SEARCHES]:
            _, milliseconds, names = found(queries_of(person, dice))
            times.append(milliseconds)
            used.update(names)
        report(f"{len(times)} searches", times, used)
        times, used, hits = [], Counter(), 0
        for person in people[SEARCHES:]:
            whole = f"{person.first_name} {person.last_name}"
            rows, milliseconds, names = found(misspelled(whole, dice))
            times.append(milliseconds)
            used.update(names)
            hits += person.pk in {row.pk for row in rows}
        report(f"{len(times)} misspellings", times, used)
        print(f"among the first {FIRST}: {hits} of {len(times)}")


if __name__ == "__main__":
    sys.exit(main())
