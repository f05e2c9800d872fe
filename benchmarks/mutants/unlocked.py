"""What holds the tables of access and sight: each lock left open."""

import re

OF_ACCESS = "config/tests/test_access.py"
OF_SIGHT = "config/tests/test_sight.py"
OF_MATRIX = "config/tests/test_matrix.py"
OF_WORLDS = "config/tests/test_random_worlds.py"

# (file, tests): what is unlocked there.
LOCKS = {
    ("accounts/doors.py", OF_SIGHT): {
        "a list and a look-up start from what is in sight": (
            "            return rows.visible_to(user)\n",
            "            return rows\n",
        ),
        "an id in a body is one in sight": (
            '        return getattr(rows, self.scope)(self.context["request"].user)',
            "        return rows",
        ),
    },
    ("accounts/doors.py", "consultations/tests/test_care_relationship.py"): {
        "a change starts from what may be written": (
            "        return rows.writable_by(user)\n",
            "        return rows.visible_to(user)\n",
        ),
    },
    ("accounts/permissions.py", OF_ACCESS): {
        "the table is asked": (
            "        if allowed(request.user, view, view.action):",
            "        if True:",
        ),
        "a forgotten row is a closed door": (
            "SAME_AS.get(action, action), NOBODY)",
            "SAME_AS.get(action, action), ANYONE)",
        ),
        "OPTIONS asks the table": (
            "return any(allowed(request.user, view, one) for one in view.action_map.values())",
            "return True",
        ),
        "a stranger is not told what a closed door lacks": (
            re.compile(r"return request.user.is_authenticated or any\([^)]*\)[^)]*\)[^)]*\)"),
            "return True",
        ),
    },
    ("config/settings.py", OF_ACCESS): {
        "the tables are the default": (
            '"accounts.permissions.RoleAccess"',
            '"rest_framework.permissions.AllowAny"',
        ),
    },
    ("accounts/models/people.py", "accounts/tests/test_models.py", OF_SIGHT): {
        "an unverified doctor is a role of its own": (
            re.compile(r"            return UNVERIFIED\n"),
            "            pass\n",
        ),
    },
    ("accounts/authentication.py", OF_ACCESS, "accounts/tests/test_sessions.py"): {
        "a session that is over opens nothing": (
            "            or not session.is_live\n",
            "",
        ),
        "a deactivated account opens nothing": (
            "            or not session.user.is_active\n",
            "",
        ),
        "a session is its own person's": (
            '            or str(session.user_id) != str(validated_token.get("user_id"))\n',
            "",
        ),
    },
    (
        "accounts/models/sign_in.py",
        "accounts/tests/test_sessions.py",
        "accounts/tests/test_session_expiry.py",
    ): {
        "an ended session is over": ("self.ended_at is None and self.deadline", "self.deadline"),
        "an expired session is over": (
            "self.ended_at is None and self.deadline > timezone.now()",
            "self.ended_at is None",
        ),
        "a session nobody refreshes is over": (
            "            ends.append(self.rotated_at + settings.SESSION_IDLE)\n",
            "            pass\n",
        ),
        "a session too old is over": (
            "            ends.append(self.created_at + settings.SESSION_ABSOLUTE)\n",
            "            pass\n",
        ),
    },
    ("accounts/viewsets.py", "accounts/tests/test_own_sessions.py"): {
        "a session is ended by its own person": (
            ".live().filter(user_id=self.request.user.pk)",
            ".live()",
        ),
    },
    ("accounts/authentication.py", "accounts/tests/test_lockout.py"): {
        "a guess is counted before the password is looked at": ("        guess.count()\n", ""),
    },
    ("accounts/lockout.py", "accounts/tests/test_lockout.py"): {
        "no more guesses are looked at than the limit": (
            "    WHERE kept.expires_at <= %(now)s OR kept.failures < %(limit)s\n",
            "",
        ),
        "a locked address looks at no account": (
            "            _refuse_locked(self._of_address, settings.LOCKOUT_FAILURES_PER_ADDRESS)\n",
            "            pass\n",
        ),
    },
    ("consultations/viewsets.py", "consultations/tests/test_notes.py", OF_MATRIX): {
        "a part is reached through its own consultation": (
            'super().get_queryset().filter(consultation__pk=self.kwargs["consultation"])',
            "super().get_queryset()",
        ),
        "a part is added to a consultation one may write": (
            "self.consultations().writable_by(request.user).with_people()",
            "self.consultations().with_people()",
        ),
        "an empty list belongs to a consultation in sight": (
            'None if response.data["results"] else get_object_or_404(self.parents())',
            "self.parents().first()",
        ),
        "the notes of a consultation are those its reader may read": (
            "ConsultationNote.objects.readable_by(self.request.user)",
            "ConsultationNote.objects.all()",
        ),
    },
    ("consultations/viewsets.py", "consultations/tests/test_patient_consultations.py"): {
        "a history is of a patient in sight": (
            "Patient.objects.visible_to(self.request.user)",
            "Patient.objects.all()",
        ),
        "a history is one patient's": (
            "super().get_queryset().filter(patient__in=self.parents())",
            "super().get_queryset()",
        ),
    },
    ("consultations/models.py", OF_SIGHT, OF_WORLDS): {
        "a private note never goes to the patient": (
            "            return self.filter(is_private=False)\n",
            "            return self\n",
        ),
        "a part is in sight where its consultation is": (
            "self.filter(consultation__in=Consultation.objects.visible_to(user))",
            "self.all()",
        ),
        "a part is written where its consultation is": (
            "self.filter(consultation__in=Consultation.objects.writable_by(user))",
            "self.all()",
        ),
        "a doctor does not read whom he does not treat": (
            "Q(doctor=doctor.pk) | _of_treated_by(doctor)",
            "Q()",
        ),
    },
    ("appointments/models.py", "consultations/tests/test_care_relationship.py", OF_WORLDS): {
        "a cancelled visit makes nobody treat": (
            "        return self.live().filter(\n            Q(booked_by",
            "        return self.filter(\n            Q(booked_by",
        ),
        "a doctor cannot give himself the sight of a record": (
            re.compile(r'Q\(booked_by=F\("patient"\)\) \| Q\(booked_by__in=admins\), '),
            "",
        ),
        "the history is in sight where its appointment is": (
            "self.filter(appointment__in=Appointment.objects.visible_to(user))",
            "self.all()",
        ),
    },
    ("appointments/models.py", "appointments/tests/test_history.py"): {
        "the history does not tell the patient of notes he may not read": (
            '            return entries.exclude(changes=["doctor_notes"])\n',
            "            return entries\n",
        ),
    },
    ("consultations/serializers.py", "consultations/tests/test_consultations.py", OF_WORLDS): {
        "the doctor's notes on a consultation never go to the patient": (
            '    hidden_from = {UserType.PATIENT: {"doctor_notes"}}\n',
            "",
        ),
    },
    ("appointments/serializers.py", "appointments/tests/test_appointments.py", OF_WORLDS): {
        "the doctor's notes on an appointment never go to the patient": (
            '    hidden_from = {UserType.PATIENT: {"doctor_notes"}}\n',
            "",
        ),
        "a patient sets no status": (
            '    read_only_for = {UserType.PATIENT: {"status"}}\n',
            "",
        ),
        "a patient books without notes of the doctor": (
            "user.is_authenticated and self._is_patient():",
            "user.is_authenticated and False:",
        ),
    },
    ("appointments/serializers.py", "appointments/tests/test_history.py"): {
        "a patient is not told that there are notes": (
            '        if self.context["request"].user.user_type == UserType.PATIENT:\n',
            "        if False:\n",
        ),
    },
    ("patients/models.py", OF_SIGHT, "patients/tests/test_deactivate.py"): {
        "a closed record is out of sight": (
            "    return Q(is_active=True)\n",
            "    return Q()\n",
        ),
    },
    ("appointments/models.py", OF_SIGHT, "appointments/tests/test_time_slots.py"): {
        "a withdrawn slot is out of sight": (
            "    return Q(withdrawn_at=None)\n",
            "    return Q()\n",
        ),
        "slots of doctors who cannot be booked are out of sight": (
            "Q(standing_slots(user), of_bookable_doctors())",
            "standing_slots(user)",
        ),
    },
}
