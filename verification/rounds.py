"""One round of each race in races.py.

Each function prepares records, starts the clients and returns (answers, {promise: held or not}).
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import cycle, islice, pairwise

from verification.clinic import BOOKINGS, CONSULTATIONS, SLOTS


def booking(clinic, start):
    """All patients book one slot."""
    slot = clinic.slot(clinic.doctors[0])
    answers = start([(one.token, BOOKINGS, _visit(slot)) for one in clinic.patients])
    return answers, {
        "one patient books it": _one_wins(answers, 201, "slot_taken"),
        "one appointment holds it": _holders(slot) == 1 == slot.appointments.count(),
    }


def reschedule(clinic, start):
    """All patients reschedule their appointments to one free slot."""
    doctor = clinic.doctors[0]
    slot = clinic.slot(doctor)
    booked = [clinic.appointment(one, clinic.slot(doctor)) for one in clinic.patients]
    answers = start(
        [
            (one.token, f"{BOOKINGS}{own.pk}/reschedule/", {"time_slot": slot.pk})
            for one, own in zip(clinic.patients, booked, strict=True)
        ]
    )
    won = [answer.status == 200 for answer in answers]
    pairs = list(zip(booked, won, strict=True))
    return answers, {
        "one patient moves": _one_wins(answers, 200, "slot_taken"),
        "the slot is held once": _holders(slot) == 1,
        "the others' appointments are untouched": all(
            _state(own) == _state_in_memory(own) for own, moved in pairs if not moved
        ),
        "only a move is in the history": all(
            _history(own) == (["book", "reschedule"] if moved else ["book"]) for own, moved in pairs
        ),
        "the old slot of the moved appointment is free": all(
            _holders(own.time_slot) == (0 if moved else 1) for own, moved in pairs
        ),
    }


def moves(clinic, start):
    """Clients cancel and reschedule one appointment at once, each to another slot."""
    doctor, patient, admin = clinic.doctors[0], clinic.patients[0], clinic.admin
    home = clinic.slot(doctor)
    appointment = clinic.appointment(patient, home)
    steps = [
        ("reschedule", patient),
        ("cancel", doctor),
        ("cancel", patient),
        ("reschedule", doctor),
        ("cancel", admin),
        ("cancel", admin),
        ("reschedule", admin),
        ("cancel", doctor),
    ]
    asked, slots = [], {home.starts_at: home}
    for action, by in islice(cycle(steps), start.clients):
        body = {}
        if action == "reschedule":
            slot = clinic.slot(doctor)
            slots[slot.starts_at] = slot
            body = {"time_slot": slot.pk}
        asked.append((action, by, body))
    answers = start(
        [(by.token, f"{BOOKINGS}{appointment.pk}/{name}/", body) for name, by, body in asked]
    )

    made = [
        (name, by.pk, body.get("time_slot"))
        for (name, by, body), answer in zip(asked, answers, strict=True)
        if answer.status == 200
    ]
    history = list(appointment.history.order_by("pk"))
    written = [
        (
            one.action,
            one.changed_by_id,
            slots[one.to_starts_at].pk if one.action == "reschedule" else None,
        )
        for one in history[1:]
    ]
    appointment.refresh_from_db()
    last = history[-1]
    held = [slot.pk for slot in slots.values() if _holders(slot)]
    return answers, {
        "each move is made or refused": counted(answers).keys()
        <= {(200, None), (409, "invalid_transition")},
        "exactly one end": [name != "reschedule" for name, *_ in made].count(True) == 1,
        "the end is the last step": last.action == "cancel",
        "one row of history for each success": Counter(written) == Counter(made),
        "each step begins with the status and time of the step before": all(
            (then.to_status, then.to_starts_at) == (now.from_status, now.from_starts_at)
            for then, now in pairwise(history)
        ),
        "the appointment has the status and time of the last step": (
            appointment.status,
            appointment.starts_at,
        )
        == (last.to_status, last.to_starts_at)
        and appointment.time_slot_id == slots[last.to_starts_at].pk,
        "only its slot is held": held
        == ([] if appointment.status == "cancelled" else [appointment.time_slot_id]),
    }


def one_by_one(clinic, start):
    """The doctor and the admin open overlapping slots, one per request."""
    doctor, day = clinic.doctors[0], clinic.day()
    times = [_times(9 * 60 + 10 * (n % 80), 25) for n in range(start.clients)]
    answers = start(_openings(clinic, doctor, day, times))
    standing = _standing(doctor, day)
    opened, refused = _split(times, answers)
    return answers, {
        "each slot is opened or refused": counted(answers).keys()
        <= {(201, None), (409, "slot_overlap")},
        "the slots in the database are the opened ones": standing == sorted(opened),
        "no slots in the database overlap": _apart(standing),
        "each refused slot overlaps a slot in the database": all(
            _meets(one, standing) for one in refused
        ),
    }


def in_bulk(clinic, start):
    """Clients open slots of one morning in bulk, with two lengths, and one per request."""
    doctor, day = clinic.doctors[0], clinic.day()
    whole = {"date": day, "start_time": "09:00", "end_time": "12:00"}
    lengths = [length for length, _ in zip(cycle([30, 20]), range(start.clients // 2))]
    times = [_times(9 * 60 + 10 * (n % 80), 25) for n in range(start.clients - len(lengths))]
    singles = _openings(clinic, doctor, day, times)
    answers = start(
        [
            (doctor.token, f"{SLOTS}create_bulk_slots/", whole | {"slot_duration": length})
            for length in lengths
        ]
        + singles
    )
    plans, rest = answers[: len(lengths)], answers[len(lengths) :]
    opened, refused = _split(times, rest)
    skipped = []
    for length, answer in zip(lengths, plans, strict=True):
        opened += [(one["start_time"], one["end_time"]) for one in answer.data.get("created", [])]
        skipped += [
            _times(_minute(one["start_time"]), length) for one in answer.data.get("skipped", [])
        ]
    standing = _standing(doctor, day)
    return answers, {
        "bulk is never refused": {one.status for one in plans} <= {201},
        "each single slot is opened or refused": counted(rest).keys()
        <= {(201, None), (409, "slot_overlap")},
        "each slot of a plan is created or skipped": len(opened) + len(skipped)
        == len(times) - len(refused) + sum(180 // length for length in lengths),
        "skipped only for an overlap": {
            one["reason"] for answer in plans for one in answer.data.get("skipped", [])
        }
        <= {"slot_overlap"},
        "the slots in the database are the opened ones": standing == sorted(opened),
        "no slots in the database overlap": _apart(standing),
        "each refused or skipped slot overlaps a slot in the database": all(
            _meets(one, standing) for one in refused + skipped
        ),
    }


def consultation(clinic, start):
    """The doctor and the admin open the consultation of one appointment."""
    from consultations.models import Consultation

    doctor = clinic.doctors[0]
    appointment = clinic.appointment(clinic.patients[0], clinic.slot(doctor))
    who = islice(cycle([doctor, clinic.admin]), start.clients)
    answers = start([(one.token, CONSULTATIONS, {"appointment": appointment.pk}) for one in who])
    opened = Consultation.objects.filter(appointment=appointment)
    return answers, {
        "one client opens it": _one_wins(answers, 201, "consultation_exists"),
        "one consultation exists": opened.count() == 1,
        "the consultation has one version": [one.history.count() for one in opened] == [1],
    }


def one_patient(clinic, start):
    """The patient and an admin book overlapping slots of different doctors for the patient."""
    patient, admin, hour = clinic.patients[0], clinic.admin, clinic.hour()
    opened = [
        clinic.slot(doctor, hour + timedelta(minutes=5 * (n % 5)))
        for n, doctor in enumerate(clinic.doctors)
    ]
    answers = start(
        [
            (admin.token, BOOKINGS, _visit(slot) | {"patient": patient.pk})
            if n % 2
            else (patient.token, BOOKINGS, _visit(slot))
            for n, slot in enumerate(opened)
        ]
    )
    return answers, {
        "one booking succeeds": _one_wins(answers, 201, "patient_overlap"),
        "one slot is held": sum(_holders(slot) for slot in opened) == 1,
    }


RACES = {
    "booking": booking,
    "reschedule": reschedule,
    "moves": moves,
    "slots": one_by_one,
    "bulk": in_bulk,
    "consultation": consultation,
    "patient": one_patient,
}


# --- Shared helpers -------------------------------------------------------------------------


def _visit(slot):
    return {"time_slot": slot.pk, "reason_for_visit": "Race"}


def counted(answers):
    return Counter((one.status, one.code) for one in answers)


def _one_wins(answers, status, refusal):
    return counted(answers) == {(status, None): 1, (409, refusal): len(answers) - 1}


def _holders(slot):
    return slot.appointments.live().count()


def _state_in_memory(one):
    return one.time_slot_id, one.starts_at, one.ends_at, one.status, one.version


def _state(appointment):
    return _state_in_memory(type(appointment).objects.get(pk=appointment.pk))


def _history(appointment):
    return list(appointment.history.order_by("pk").values_list("action", flat=True))


def _times(minute, length):
    """Returns (start, end) in the format of the API, from a minute of the day."""
    return tuple(f"{at // 60:02}:{at % 60:02}:00" for at in (minute, minute + length))


def _minute(time):
    at = datetime.strptime(time, "%H:%M:%S")  # noqa: DTZ007 - a clock time has no zone
    return at.hour * 60 + at.minute


def _openings(clinic, doctor, day, times):
    """Returns calls that open slots at these times, by the doctor and the admin in turn."""
    bodies = [{"date": day, "start_time": start, "end_time": end} for start, end in times]
    return [
        (clinic.admin.token, SLOTS, body | {"doctor": doctor.pk})
        if n % 2
        else (doctor.token, SLOTS, body)
        for n, body in enumerate(bodies)
    ]


def _split(times, answers):
    """Returns (times of opened slots, times of refused slots)."""
    pairs = list(zip(times, answers, strict=True))
    return (
        [time for time, answer in pairs if answer.status == 201],
        [time for time, answer in pairs if answer.status != 201],
    )


def _standing(doctor, day):
    from appointments.models import TimeSlot

    date = datetime.fromisoformat(day).date()
    rows = TimeSlot.objects.filter(doctor=doctor.pk, withdrawn_at=None).between(date, date)
    return sorted((f"{row.start_time:%H:%M:%S}", f"{row.end_time:%H:%M:%S}") for row in rows)


def _apart(times):
    return all(end <= start for (_, end), (start, _) in pairwise(times))


def _meets(time, others):
    return any(start < time[1] and time[0] < end for start, end in others)
