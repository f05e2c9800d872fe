"""Who waits for whom, and what is asked again once the wait is over."""

from mutants.mutant import POSTGRESQL, mutants

OF_APPOINTMENTS = ["appointments/tests/test_locks.py"]
OF_CONSULTATIONS = ["consultations/tests/test_locks.py"]
OF_PATIENTS = ["patients/tests/test_locks.py"]
OF_ACCOUNTS = ["accounts/tests/test_locks.py"]


def every_mutant():
    return [
        *mutants("appointments/services.py", OF_APPOINTMENTS, BOOKING, POSTGRESQL),
        *mutants("appointments/slots.py", OF_APPOINTMENTS, SLOTS, POSTGRESQL),
        *mutants("consultations/services.py", OF_CONSULTATIONS, CONSULTATIONS, POSTGRESQL),
        *mutants("patients/services.py", OF_PATIENTS, PATIENTS, POSTGRESQL),
        *mutants("accounts/services.py", OF_ACCOUNTS, ACCOUNTS, POSTGRESQL),
        *mutants("accounts/services.py", OF_APPOINTMENTS, WORKS_ON, POSTGRESQL),
        *mutants("accounts/sessions.py", OF_ACCOUNTS, SESSIONS, POSTGRESQL),
        *mutants("accounts/idempotency.py", OF_ACCOUNTS, KEYS, POSTGRESQL),
    ]


ALL_SLOTS = 'TimeSlot.objects.select_for_update(of=("self",), no_key=True).order_by()'
CLAIMED = "    [slot] = SLOT_TO_LOCK(time_slot.pk)\n"
IN_THE_WAY = "SLOTS_IN_THE_WAY(slot.pk, patient.pk, slot.starts_at, slot.ends_at)"

BOOKING = {
    "the patient is locked": (
        "Patient.objects.select_for_update(no_key=True)",
        "Patient.objects",
    ),
    "the patient's lock lets his record be written": (
        "Patient.objects.select_for_update(no_key=True)",
        "Patient.objects.select_for_update()",
    ),
    "who books locks the patient": (
        "    patient = lock_patient(patient.pk)\n    slot =",
        "    slot =",
    ),
    "who reschedules locks the patient": (
        "        patient = lock_patient(appointment.patient_id)\n",
        "        patient = appointment.patient\n",
    ),
    "the slots are locked": (ALL_SLOTS, "TimeSlot.objects.order_by()"),
    "the slots' lock leaves the doctor free": (
        ALL_SLOTS,
        "TimeSlot.objects.select_for_update(no_key=True).order_by()",
    ),
    "the slots are locked by id": ('.filter(pk__in=ids).order_by("pk")', ".filter(pk__in=ids)"),
    "who reschedules locks both slots": (
        "        _lock_slots({appointment.time_slot_id, time_slot.pk})\n",
        "",
    ),
    "who claims a slot locks it": (CLAIMED, "    slot = time_slot\n"),
    "whether a slot is free is asked after its lock": (
        CLAIMED,
        "    slot = time_slot\n",
        f"    if holders := {IN_THE_WAY}:\n",
        f"    holders = {IN_THE_WAY}\n{CLAIMED}    if holders:\n",
    ),
    "the policy is asked after the patient's lock": (
        (
            "    patient = lock_patient(patient.pk)\n    slot = _claim(time_slot, patient, by)\n"
            "    policy.check_booking(patient, slot, by=by)\n"
        ),
        (
            "    policy.check_booking(patient, time_slot, by=by)\n"
            "    patient = lock_patient(patient.pk)\n    slot = _claim(time_slot, patient, by)\n"
        ),
    ),
    "the appointment is locked": (
        'Appointment.objects.select_for_update(of=("self",), no_key=True).with_people()',
        "Appointment.objects.with_people()",
    ),
    "the appointment's lock leaves its people free": (
        'Appointment.objects.select_for_update(of=("self",), no_key=True)',
        "Appointment.objects.select_for_update(no_key=True)",
    ),
    "a move starts from the row as it is": (
        (
            "    appointment = lock(appointment)\n    check_version(appointment, if_version)\n"
            "    before ="
        ),
        "    lock(appointment)\n    check_version(appointment, if_version)\n    before =",
    ),
    "an amendment starts from the row as it is": (
        (
            "    appointment = lock(appointment)\n    check_version(appointment, if_version)\n"
            "    changed ="
        ),
        "    lock(appointment)\n    check_version(appointment, if_version)\n    changed =",
    ),
    "what is coming is cancelled by id": (
        '.filter(patient=patient).order_by("pk")',
        ".filter(patient=patient)",
    ),
    "what is coming is looked at again under its lock": (
        "if lock(appointment).status in OPEN:",
        "if appointment.status in OPEN:",
    ),
}

SLOTS = {
    "the doctor is locked": (
        "Doctor.objects.select_for_update(no_key=True).get(pk=pk)",
        "Doctor.objects.get(pk=pk)",
    ),
    "the doctor's lock lets him be booked": (
        "Doctor.objects.select_for_update(no_key=True)",
        "Doctor.objects.select_for_update()",
    ),
    "who opens a slot locks the doctor": (
        "    doctor = lock_active(doctor)\n    _refuse_overlap(",
        "    _refuse_overlap(",
    ),
    "an overlap is asked for after the doctor's lock": (
        "    doctor = lock_active(doctor)\n    _refuse_overlap(doctor, starts_at, ends_at)\n",
        "    _refuse_overlap(doctor, starts_at, ends_at)\n    doctor = lock_active(doctor)\n",
    ),
    "who opens a series locks the doctor": (
        "    doctor = lock_active(doctor)\n    taken =",
        "    taken =",
    ),
    "a series looks at the slots after the doctor's lock": (
        "    doctor = lock_active(doctor)\n    taken = _standing_intervals(doctor, plan)\n",
        "    taken = _standing_intervals(doctor, plan)\n    doctor = lock_active(doctor)\n",
    ),
    "who changes a slot locks its doctor": (
        "    doctor = _lock_doctor(slot.doctor_id)\n",
        "    doctor = slot.doctor\n",
    ),
    "who changes a slot locks it": (
        "TimeSlot.objects.select_for_update(no_key=True).get(pk=slot.pk)",
        "TimeSlot.objects.get(pk=slot.pk)",
    ),
    "whether a slot is held is asked after its lock": (
        "    doctor = _lock_doctor(slot.doctor_id)\n",
        "    held = slot.appointments.live().exists()\n    doctor = _lock_doctor(slot.doctor_id)\n",
        "    if slot.appointments.live().exists():\n",
        "    if held:\n",
    ),
}

LISTED = (
    "    listed = Patient.objects.values_list("
    '"allergies", flat=True).get(pk=consultation.patient_id)\n'
)
TO_PRESCRIBE = (
    "    consultation = _lock(consultation)\n    _refuse_closed(consultation)\n"
    "    _refuse_void(consultation, by)\n    # Read after the lock"
)

CONSULTATIONS = {
    "the consultation's appointment is locked": (
        "        appointments.lock(consultation.appointment)\n",
        "        pass\n",
    ),
    "the consultation is locked": (
        'Consultation.objects.select_for_update(of=("self",), no_key=True).with_people()',
        "Consultation.objects.with_people()",
    ),
    "a consultation is opened under its appointment's lock": (
        "    appointment = appointments.lock(appointment)\n",
        "",
    ),
    "the prescription is locked": (
        "Prescription.objects.select_for_update(no_key=True).get(pk=prescription.pk)",
        "Prescription.objects.get(pk=prescription.pk)",
    ),
    "the prescription is read again": (
        (
            "    prescription = Prescription.objects.select_for_update(no_key=True)"
            ".get(pk=prescription.pk)\n"
        ),
        "",
    ),
    "the allergies are read after the lock": (
        LISTED,
        "",
        TO_PRESCRIBE,
        LISTED + TO_PRESCRIBE,
    ),
    "who measures locks the consultation": (
        (
            "    consultation = _lock(consultation)\n    _refuse_closed(consultation)\n"
            "    _refuse_void(consultation, by)\n    vital_signs ="
        ),
        "    _refuse_closed(consultation)\n    _refuse_void(consultation, by)\n    vital_signs =",
    ),
    "who prescribes locks the consultation": (
        TO_PRESCRIBE,
        TO_PRESCRIBE.removeprefix("    consultation = _lock(consultation)\n"),
    ),
    "who stops a prescription locks the consultation": (
        "    consultation = _lock(prescription.consultation)\n",
        "    consultation = prescription.consultation\n",
    ),
    "who notes locks the consultation": (
        '    consultation = _lock(consultation)\n    if note["note_type"]',
        '    if note["note_type"]',
    ),
}

PATIENTS = {
    "who closes a record locks it": (
        (
            "    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)\n"
            "    check_version"
        ),
        "    patient = Patient.objects.get(pk=patient.pk)\n    check_version",
    ),
    "who opens a record again locks it": (
        (
            "    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)\n"
            "    accounts.refuse_anonymised(patient)"
        ),
        "    patient = Patient.objects.get(pk=patient.pk)\n    accounts.refuse_anonymised(patient)",
    ),
}

OF_A_USER = "    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)\n"
ASKED = "\n    refuse_anonymised(user)"
OF_A_PROFILE = f"user.__class__.objects.select_for_update(no_key=True).get(pk=user.pk){ASKED}"

ACCOUNTS = {
    "who changes a profile locks it": (
        OF_A_PROFILE,
        f"user.__class__.objects.get(pk=user.pk){ASKED}",
    ),
    "who changes a password locks the account": (
        OF_A_USER,
        "    user = User.objects.get(pk=user.pk)\n",
    ),
    "who resets a password locks the account": (
        "User.objects.select_for_update(no_key=True).filter(pk=pk, is_active=True)",
        "User.objects.filter(pk=pk, is_active=True)",
    ),
    "who verifies a licence locks the account": (
        "User.objects.select_for_update(no_key=True).get(pk=doctor.pk)",
        "User.objects.get(pk=doctor.pk)",
    ),
}

WORKS_ON = {
    "the lock of a profile lets its person work": (
        OF_A_PROFILE,
        f"user.__class__.objects.select_for_update().get(pk=user.pk){ASKED}",
    ),
}

SESSIONS = {
    "a session is opened where the account is active": (
        "filter(pk=user.pk, password=user.password, is_active=True)",
        "filter(pk=user.pk, password=user.password)",
    ),
    "a session is opened where the password is still the one": (
        "filter(pk=user.pk, password=user.password, is_active=True)",
        "filter(pk=user.pk, is_active=True)",
    ),
    "a token is rotated by one": (
        'filter(pk=session.pk, jti=presented["jti"])',
        "filter(pk=session.pk)",
    ),
}

KEYS = {
    "the row of a key is locked": (
        "IdempotencyKey.objects.select_for_update().filter(",
        "IdempotencyKey.objects.filter(",
    ),
    "a key that is gone before it is locked is written": (
        "*, is_last_try=False",
        "*, is_last_try=True",
    ),
}
