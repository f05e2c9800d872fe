"""What the services ask before they write, what they write beside it, and what the clinic sets."""

from mutants.mutant import POSTGRESQL, mutants

OF_SERVICES = ["appointments/tests/test_services.py"]
OF_POLICY = ["appointments/tests/test_policy.py"]
OF_OFFERS = ["appointments/tests/test_guards.py"]
OF_SLOTS = ["appointments/tests/test_time_slots.py", "appointments/tests/test_bulk_slots.py"]
OF_VISITS = [
    "consultations/tests/test_void.py",
    "consultations/tests/test_start_and_complete.py",
    "consultations/tests/test_prescriptions.py",
]


OF_TRANSACTIONS = ["config/tests/test_transactions.py"]


def every_mutant():
    return [
        *mutants("appointments/services.py", OF_SERVICES, BOOKING),
        *mutants("appointments/models.py", OF_SERVICES, TIMES),
        *mutants("appointments/services.py", OF_POLICY, ASKS_THE_POLICY),
        *mutants("appointments/services.py", OF_OFFERS, OFFERS),
        *mutants("appointments/policy.py", OF_POLICY, POLICY),
        *mutants("appointments/slots.py", OF_SLOTS, SLOTS),
        *mutants("consultations/services.py", OF_VISITS, VISITS),
        *mutants("config/api/transactions.py", OF_TRANSACTIONS, TRANSACTIONS, POSTGRESQL),
    ]


TRANSACTIONS = {
    "what was given up is done again": (
        "            if is_a_part or sqlstate(error) not in GIVEN_UP:\n                raise\n",
        "            raise\n",
    ),
    "a part is not done again by itself": ("if is_a_part or sqlstate", "if sqlstate"),
    "a deadlock is done again": ('{"40001", "40P01"}', '{"40001"}'),
    "what could not be serialized is done again": ('{"40001", "40P01"}', '{"40P01"}'),
    "what failed otherwise is not done again": (
        "if is_a_part or sqlstate(error) not in GIVEN_UP:",
        "if is_a_part:",
    ),
    "nothing of the first try is left": (
        "        with transaction.atomic(), _with_what_waits():\n            return work",
        "        with _with_what_waits():\n            return work",
    ),
}

TIMES = {
    "a patient may leave as another visit begins": (
        "starts_at__lt=ends_at, ends_at__gt",
        "starts_at__lte=ends_at, ends_at__gt",
    ),
    "a patient may come as another visit ends": (
        "ends_at__gt=starts_at)",
        "ends_at__gte=starts_at)",
    ),
}

BOOKING = {
    "a booking writes its history": ('    _record(appointment, "book", by=by)\n', ""),
    "a move writes its history": (
        "    _record(appointment, action, by=by, before=before, reason=reason)\n",
        "",
    ),
    "an amendment writes its history": (
        '        _record(appointment, "updated", by=by, before=before, changes=sorted(changed))\n',
        "",
    ),
    "listeners hear after the commit": (
        "    transaction.on_commit(\n        lambda: appointment_changed",
        "    (lambda run: run())(\n        lambda: appointment_changed",
    ),
    "a listener that fails spoils nothing": (".send_robust(", ".send("),
    "a closed record is not booked for": (
        "    if patient is None or not patient.is_active:\n",
        "    if False:\n",
    ),
    "a withdrawn slot is not booked": ("if slot.withdrawn_at or not", "if not"),
    "a doctor who is not bookable is not booked": (
        "if slot.withdrawn_at or not slot.doctor.is_bookable:",
        "if slot.withdrawn_at:",
    ),
    "a slot of the past is not booked": (
        "    if slot.starts_at <= clock.now():\n",
        "    if False:\n",
    ),
    "a slot that begins now is not booked": (
        "    if slot.starts_at <= clock.now():\n",
        "    if slot.starts_at < clock.now():\n",
    ),
    "a slot that is held is not booked": ("Q(time_slot=slot) | of_patient", "of_patient"),
    "a patient is not in two places": ("Q(time_slot=slot) | of_patient", "Q(time_slot=slot)"),
    "a slot taken is told from a patient elsewhere": (
        "        if slot.pk in holders:\n",
        "        if False:\n",
    ),
    "what is cancelled holds nothing": (
        "    in_the_way = Appointment.objects.live().filter(",
        "    in_the_way = Appointment.objects.filter(",
    ),
    "the table of moves is asked": (
        "    if not MOVES[action].is_open(**state, role=by.role, now=clock.now()):\n",
        "    if False:\n",
    ),
    "a move to the same slot is refused": (
        "    if time_slot.pk == appointment.time_slot_id:\n",
        "    if False:\n",
    ),
    "a move to another doctor is refused": (
        "    if time_slot.doctor_id != appointment.doctor_id:\n",
        "    if False:\n",
    ),
    "a move takes the times of its slot": (
        "        appointment.starts_at, appointment.ends_at = slot.starts_at, slot.ends_at\n",
        "",
    ),
    "the details of what is over are fixed": (
        "    if changed & VISIT_DETAILS and appointment.status not in OPEN:\n",
        "    if False:\n",
    ),
}

ASKS_THE_POLICY = {
    "a booking asks the policy": ("    policy.check_booking(patient, slot, by=by)\n", ""),
    "a move asks the policy": ("    policy.check_move(appointment, action, by=by)\n", ""),
    "a new time asks the policy": ("        policy.check_new_time(appointment, slot, by=by)\n", ""),
    "a refusal offers what the policy opens": (
        "policy.bookable_by(by, slot.doctor.time_slots.filter(~Exists(elsewhere)))",
        "slot.doctor.time_slots.free().filter(~Exists(elsewhere))",
    ),
}

OFFERS = {
    "a refusal offers nothing at a time the patient is elsewhere": (
        "slot.doctor.time_slots.filter(~Exists(elsewhere))",
        "slot.doctor.time_slots.all()",
    ),
}

POLICY = {
    "a missed visit moved ahead is counted": (
        "        check_booking(appointment.patient, slot, by=by)\n",
        "        check_time(slot, by=by)\n",
    ),
    "moving what is ahead is no new booking": (
        "    if appointment.starts_at > clock.now():\n        check_time",
        "    if False:\n        check_time",
    ),
    "a first booking is held to notice and horizon": (
        "    check_time(slot, by=by)\n    most =",
        "    most =",
    ),
    "too_many_bookings": (".count() >= most:", ".count() >= most + 1000:"),
    "the last booking allowed is the last": (".count() >= most:", ".count() > most:"),
    "the count is the patient's": (
        "upcoming().filter(patient=patient).count()",
        "upcoming().count()",
    ),
    "the count is of what is coming": (
        "Appointment.objects.upcoming().filter",
        "Appointment.objects.filter",
    ),
    "the count does not bind the staff": (
        "    if by.role != UserType.PATIENT or most <= 0:",
        "    if most <= 0:",
    ),
    "booking_too_soon": ("    if clock.now() > closes_at:\n", "    if False:\n"),
    "a booking may come at the last moment": (
        "    if clock.now() > closes_at:\n",
        "    if clock.now() >= closes_at:\n",
    ),
    "booking_too_far": ("    if 0 < horizon < (", "    if 10**6 < horizon < ("),
    "no horizon binds while it is 0": ("    if 0 < horizon < (", "    if horizon < ("),
    "notice and horizon do not bind the staff": (
        "    if by.role != UserType.PATIENT:\n        return\n    closes_at",
        "    closes_at",
    ),
    "cancellation_too_late and reschedule_too_late": (
        "    if closed_at := _closed_at(appointment, action, by.role, clock.now()):\n",
        "    if closed_at := None:\n",
    ),
    "cancelling has its own cut-off": (
        'CutOff("CANCELLATION_NOTICE_HOURS"',
        'CutOff("RESCHEDULE_NOTICE_HOURS"',
    ),
    "the cut-offs do not bind the staff": (
        "    if role != UserType.PATIENT or action not in CUT_OFFS:",
        "    if action not in CUT_OFFS:",
    ),
    "no cut-off binds while it is 0": (
        "closes_at if hours > 0 and now >",
        "closes_at if now >",
    ),
    "what comes too late is not among the moves": (
        " if not _closed_at(appointment, action, role, now)]",
        "]",
    ),
}

SLOTS = {
    "a slot is not opened in the past": (
        '    if starts_at <= clock.now():\n        raise refused("start_time"',
        '    if False:\n        raise refused("start_time"',
    ),
    "a slot that begins now is not opened": (
        '    if starts_at <= clock.now():\n        raise refused("start_time"',
        '    if starts_at < clock.now():\n        raise refused("start_time"',
    ),
    "a series opens nothing in the past": (
        "    if starts_at <= clock.now():\n        return None",
        "    if False:\n        return None",
    ),
    "a slot that overlaps is not opened": (
        "    _refuse_overlap(doctor, starts_at, ends_at)\n",
        "",
    ),
    "a slot is not moved onto another": (
        "    _refuse_overlap(slot.doctor, starts_at, ends_at, but=slot)\n",
        "",
    ),
    "a slot may be moved over itself": (".exclude(pk=but and but.pk)", ""),
    "a series skips what overlaps": (
        "    if any(start < ends_at and starts_at < end for start, end in taken):\n",
        "    if False:\n",
    ),
    "a series opens nothing past midnight": (
        "    if clock.local(ends_at).date() != date:",
        "    if False:",
    ),
    "a closed account is opened no slot": ("    if not doctor.is_active:\n", "    if False:\n"),
    "a slot that is held stays": ("    if slot.appointments.live().exists():\n", "    if False:\n"),
    "a withdrawn slot stays": ("    if slot.withdrawn_at:\n", "    if False:\n"),
}

CLOSED = "    _refuse_closed(consultation)\n"
VOID = "    _refuse_void(consultation, by)\n"

VISITS = {
    "an appointment has one consultation": (
        "    if Consultation.objects.filter(appointment=appointment).exists():\n",
        "    if False:\n",
    ),
    "what is over takes no consultation": (
        "    if appointment.status not in TAKES_A_CONSULTATION:\n",
        "    if False:\n",
    ),
    "a consultation starts once": ("    if consultation.started_at:\n", "    if False:\n"),
    "a start brings the appointment along": ('    _bring_along(consultation, "start", by)\n', ""),
    "a completion brings the appointment along": (
        '    _bring_along(consultation, "complete", by)\n',
        "",
    ),
    "a closed consultation is not started": (
        f"{CLOSED}{VOID}    if consultation.started_at:",
        f"{VOID}    if consultation.started_at:",
    ),
    "a closed consultation is not completed": (
        f"{CLOSED}{VOID}    _bring_along",
        f"{VOID}    _bring_along",
    ),
    "a closed consultation is not written": (
        f"{CLOSED}{VOID}    changed =",
        f"{VOID}    changed =",
    ),
    "a closed consultation takes no measurement": (
        f"{CLOSED}{VOID}    vital_signs",
        f"{VOID}    vital_signs",
    ),
    "a closed consultation takes no prescription": (
        f"{CLOSED}{VOID}    # Read after",
        f"{VOID}    # Read after",
    ),
    "a closed consultation's prescriptions stay": (
        f"{CLOSED}    if is_active:",
        "    if is_active:",
    ),
    "a void consultation's prescriptions are not taken up again": (
        f"    if is_active:\n    {VOID}",
        "",
    ),
    "a closed consultation takes addenda alone": (
        f"    {CLOSED}    written =",
        "        pass\n    written =",
    ),
    "a void consultation is not started": (
        f"{VOID}    if consultation.started_at:",
        "    if consultation.started_at:",
    ),
    "a void consultation is not completed": (f"{VOID}    _bring_along", "    _bring_along"),
    "a void consultation is not written": (f"{VOID}    changed =", "    changed ="),
    "a void consultation takes no measurement": (f"{VOID}    vital_signs", "    vital_signs"),
    "a void consultation takes no prescription": (
        f"{VOID}    # Read after",
        "    # Read after",
    ),
}
