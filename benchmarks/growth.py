"""Counts the pages that PostgreSQL touches for a request, in a small clinic and a large one.

    python -m benchmarks.growth --scales 0.1 1

The large clinic has more doctors with the same load each. A third clinic has as many doctors as the
large one and as many rows as the small one, because it is younger.

The script executes EXPLAIN (ANALYZE, BUFFERS) of each statement that the product sends. The number
of pages (buffers of 8 kB, of tables and indexes) does not depend on the machine or the cache.
Statements with COUNT are reported separately, because they read all rows. A change is explained
inside its transaction, rolled back and then executed. Reads are not audited.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.dataset import SLOT, Plan, fill
from benchmarks.results import circumstances, write
from verification.server import configure, fresh_database

MOST_GROWTH = 1.3  # highest ratio of large to small
EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Touched(NamedTuple):
    """Pages of statements without COUNT, pages of statements with COUNT, and statements."""

    pages: int = 0
    counting: int = 0
    statements: int = 0


def measure(scale, doctors=None):
    """Returns {request: Touched} for a clinic of this scale; needs its own process."""
    os.environ |= {"AUDIT_READS": "off", "LOG_LEVEL": "WARNING", "STATEMENT_TIMEOUT_MS": "0"}
    with fresh_database("postgresql") as database:
        configure(database)
        from django.db import connection

        plan = fill(scale, doctors)
        touched = {name: _touched(*sends) for name, *sends in _requests(plan)}
        connection.close()
    return touched


def _requests(plan):
    """Yields (name, function that sends a like request, function that sends the request)."""
    from accounts.models import User
    from appointments.models import Appointment, TimeSlot

    doctor = User.objects.get(pk=1)
    visit = Appointment.objects.filter(doctor=1, status="completed", consultation__isnull=False)
    visit = visit.order_by("starts_at", "pk")[visit.count() // 2]
    patient = visit.patient
    admin = User.objects.create_superuser("admin", "admin@example.com", "correct-horse-battery")
    monday = plan.monday + timedelta(weeks=1)
    week = f"date_after={monday}&date_before={monday + timedelta(days=6)}"
    after = plan.starts_at(plan.slot(next(plan.later_turns())))
    slots = [
        TimeSlot.objects.create(doctor_id=1, starts_at=start, ends_at=start + SLOT)
        for start in (after, after + SLOT)
    ]
    last = -(-Appointment.objects.filter(doctor=1).count() // 20)
    last_of_patients = -(-len(plan.patients) // 20)

    as_doctor, as_patient, as_admin = _client(doctor), _client(patient), _client(admin)
    for name, client, path in [
        ("appointments, a doctor's", as_doctor, "appointments/"),
        ("appointments, a doctor's deepest page", as_doctor, f"appointments/?page={last}"),
        ("appointments, a patient's", as_patient, "appointments/"),
        ("appointments, an admin's", as_admin, "appointments/"),
        ("upcoming, a doctor's", as_doctor, "upcoming/"),
        ("today, a doctor's", as_doctor, "today/"),
        ("time slots, a doctor's own", as_doctor, "time-slots/"),
        ("time slots ahead, a doctor's", as_doctor, f"time-slots/?date_after={plan.now.date()}"),
        ("time slots of a doctor and week", as_patient, f"time-slots/?doctor=1&{week}"),
        ("time slots of everybody", as_patient, "time-slots/"),
        ("availability of a doctor and week", as_patient, f"doctor-availability/?doctor=1&{week}"),
        ("doctors", as_patient, "doctors/"),
        ("patients", as_doctor, "patients/"),
        ("patients, the deepest page", as_doctor, f"patients/?page={last_of_patients}"),
        ("consultations, a doctor's", as_doctor, "consultations/"),
        ("consultations, a patient's", as_patient, "consultations/"),
        ("consultations of a patient", as_doctor, f"patients/{patient.pk}/consultations/"),
        ("access log of a patient", as_patient, f"patients/{patient.pk}/access-log/"),
        ("history of an appointment", as_doctor, f"appointments/{visit.pk}/history/"),
        ("appointment", as_doctor, f"appointments/{visit.pk}/"),
        ("consultation", as_doctor, f"consultations/{visit.consultation.pk}/"),
        ("profile", as_patient, "auth/profile/"),
        ("statistics of a doctor", as_doctor, "statistics/"),
    ]:
        yield name, *[partial(client.get, f"/api/{path}")] * 2
    bookings = [{"time_slot": slot.pk, "reason_for_visit": "A cough"} for slot in slots]
    yield "book", *(partial(as_patient.post, "/api/appointments/", body) for body in bookings)


def _client(person):
    from rest_framework.test import APIClient

    from accounts.auth.sessions import open_session

    client = APIClient(HTTP_HOST="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {open_session(person)['access']}")
    return client


# --- Counting pages ----------------------------------------------------------------------------


def _touched(warm_up, send):
    """Returns what a request touches once the product has prepared its statements."""
    warm_up()
    with explained() as touched:
        answer = send()
    if answer.status_code not in {200, 201}:
        raise SystemExit(answer.content)
    counting = [pages for statement, pages in touched if "COUNT(" in statement]
    pages = sum(pages for _, pages in touched) - sum(counting)
    return Touched(pages, sum(counting), len(touched))


@contextmanager
def explained():
    """Yields [(statement, pages)]; each statement is explained before it is executed."""
    from django.db import connection

    touched = []

    def explain(execute, sql, params, many, context):
        if sql.startswith(EXPLAINED):
            touched.append((sql, _pages(sql, params, connection)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield touched


def _pages(sql, params, connection):
    """Returns the number of pages that a statement touches, and rolls its changes back."""
    begin, undo = "SAVEPOINT explained", "ROLLBACK TO SAVEPOINT explained"
    if connection.get_autocommit() and not connection.in_atomic_block:
        begin, undo = "BEGIN", "ROLLBACK"
    with connection.connection.cursor() as cursor:
        cursor.execute(begin)
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        [(told,)] = cursor.fetchall()
        cursor.execute(undo)
    return told[0]["Plan"]["Shared Hit Blocks"] + told[0]["Plan"]["Shared Read Blocks"]


# --- The table ---------------------------------------------------------------------------------


def table(scales, small, young, large):
    columns = ["request", "statements"]
    columns += [*(f"pages at {scale:g}" for scale in scales), "ratio", "to a younger one"]
    columns += [*(f"counting at {scale:g}" for scale in scales), "ratio", "to a younger one"]
    lines = [columns, ["---"] * len(columns)]
    for name, in_large in large.items():
        cells = [name, str(in_large.statements)]
        for kind in ("pages", "counting"):
            before, after = getattr(small[name], kind), getattr(in_large, kind)
            younger = getattr(young[name], kind)
            cells += [str(before), str(after), _ratio(before, after), _ratio(younger, after)]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def beyond(small, large):
    """Returns a sentence that names the requests with too much growth."""
    ratios = {
        name: (large[name].pages + large[name].counting) / (one.pages + one.counting)
        for name, one in small.items()
    }
    told = [f"{name} ({ratio:.1f})" for name, ratio in ratios.items() if ratio > MOST_GROWTH]
    return f"Requests with more than {MOST_GROWTH} times the pages: {', '.join(told) or 'none'}."


def _ratio(before, after):
    return f"{after / before:.1f}" if before else ""


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--scales", type=float, nargs=2, default=[0.1, 1])
    options.add_argument("--results", type=Path, help="a Markdown file to write")
    asked = options.parse_args()
    of_small, of_large = asked.scales
    alone = {"max_workers": 1, "max_tasks_per_child": 1, "mp_context": get_context("spawn")}
    with ProcessPoolExecutor(**alone) as pool:  # settings are read once in a process
        doctors = [None, len(Plan(of_large).doctors), None]
        small, young, large = pool.map(measure, [of_small, of_small, of_large], doctors)
    told = table(asked.scales, small, young, large) + "\n\n" + beyond(small, large)
    print(told)
    if asked.results:
        write(asked.results, "Growth", circumstances(), told)


if __name__ == "__main__":
    main()
