"""The SQL statements of the floor."""

from benchmarks.contract import OF_ROLE, PERSON

NAME = "COALESCE(NULLIF(TRIM({0}.first_name || ' ' || {0}.last_name), ''), {0}.username)"
PROFILE = list(dict.fromkeys([*PERSON, *OF_ROLE["doctor"], *OF_ROLE["patient"]]))

SESSION = """
SELECT s.ended_at, s.expires_at, u.is_active, u.user_type, u.license_verified{more}
FROM accounts_session s JOIN accounts_user u ON u.id = s.user_id
WHERE s.id = %s AND s.user_id = %s
"""
OWN_ROWS = {"doctor": "doctor_id = %s", "patient": "patient_id = %s", "admin": "%s IS NOT NULL"}

APPOINTMENTS = f"""
SELECT a.id, a.patient_id, {NAME.format("p")}, a.doctor_id, {NAME.format("d")}, d.specialization,
    a.time_slot_id, a.starts_at, a.ends_at, a.status, a.consultation_type, a.priority,
    a.reason_for_visit, a.symptoms, a.contact_phone, a.patient_notes, a.doctor_notes,
    a.booked_by_id, a.created_at, a.updated_at
FROM (SELECT * FROM appointments_appointment WHERE {{own_rows}} {{chosen}}) a
JOIN accounts_user p ON p.id = a.patient_id JOIN accounts_user d ON d.id = a.doctor_id
ORDER BY a.starts_at DESC, a.id DESC
"""  # noqa: S608
NEWEST = "ORDER BY starts_at DESC, id DESC LIMIT 20"

FREE = """
appointments_timeslot s JOIN accounts_user d ON d.id = s.doctor_id
WHERE s.doctor_id = %s AND s.starts_at >= %s AND s.starts_at < %s::date + 1 AND s.starts_at > now()
    AND s.withdrawn_at IS NULL AND d.is_active AND d.license_verified AND NOT EXISTS (
        SELECT 1 FROM appointments_appointment a
        WHERE a.time_slot_id = s.id AND a.status <> 'cancelled'
        AND a.doctor_id = s.doctor_id AND a.starts_at >= date_trunc('month', now()))
"""
SLOTS = f"""
SELECT s.id, s.doctor_id, {NAME.format("d")}, d.specialization, s.starts_at, s.ends_at
FROM {FREE} ORDER BY s.starts_at, s.id LIMIT 20 OFFSET %s
"""  # noqa: S608

LOCK_PATIENT = f"""
BEGIN; SELECT is_active, {NAME.format("p")} FROM accounts_user p
WHERE id = %s AND user_type = 'patient' FOR NO KEY UPDATE
"""  # noqa: S608
LOCK_SLOT = f"""
SELECT s.doctor_id, {NAME.format("d")}, d.specialization, s.starts_at, s.ends_at,
    s.withdrawn_at IS NULL AND d.is_active AND d.license_verified
FROM appointments_timeslot s JOIN accounts_user d ON d.id = s.doctor_id
WHERE s.id = %s FOR NO KEY UPDATE OF s
"""  # noqa: S608
HELD = """
SELECT time_slot_id FROM appointments_appointment WHERE status <> 'cancelled'
AND (time_slot_id = %s OR (patient_id = %s AND starts_at < %s AND ends_at > %s))
"""
BOOK = """
WITH booked AS (
    INSERT INTO appointments_appointment (patient_id, doctor_id, time_slot_id, starts_at, ends_at,
        status, consultation_type, priority, reason_for_visit, symptoms, contact_phone,
        patient_notes, doctor_notes, booked_by_id, created_at, updated_at)
    VALUES (%(patient)s, %(doctor)s, %(time_slot)s, %(starts_at)s, %(ends_at)s,
        'scheduled', %(consultation_type)s, %(priority)s, %(reason_for_visit)s, %(symptoms)s,
        %(contact_phone)s, %(patient_notes)s, %(doctor_notes)s, %(by)s, %(now)s, %(now)s)
    RETURNING id
), entered AS (
    INSERT INTO appointments_appointmenthistory (appointment_id, action, from_status, to_status,
        to_starts_at, changes, reason, changed_by_id, created_at)
    SELECT id, 'book', '', 'scheduled', %(starts_at)s, '[]', '', %(by)s, %(now)s FROM booked
)
INSERT INTO accounts_auditevent (at, actor, role, session, action, event, records, patients,
    changed, outcome, request_id, address)
SELECT %(now)s, %(by)s, %(role)s, %(session)s, 'C', 'appointment.book',
    jsonb_build_array('appointment/' || id), jsonb_build_array(%(patient)s), '[]', 'success',
    %(request_id)s, %(address)s FROM booked
RETURNING (SELECT id FROM booked)
"""
CLAIM_KEY = """
INSERT INTO accounts_idempotencykey (user_id, key, fingerprint, made, status_code, created_at)
VALUES (%s, %s, %s, %s, 201, now())
"""
