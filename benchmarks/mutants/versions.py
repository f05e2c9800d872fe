"""Nobody overwrites what he has not seen."""

from mutants.mutant import POSTGRESQL, mutants

TESTS = ["config/tests/test_versions_of_records.py"]


DOORS = [f"{TESTS[0]}::test_every_door_hands_its_version_to_the_service"]


def every_mutant():
    return [
        *(one for file, table in CHANGES.items() for one in mutants(file, TESTS, table)),
        *(one for file, table in HANDED.items() for one in mutants(file, DOORS, table, POSTGRESQL)),
    ]


ASKED = "    check_version(appointment, if_version)\n"
LOCKED = "    consultation = _lock(consultation, if_version)\n"

CHANGES = {
    "accounts/versions.py": {
        "a save leaves the next version": ("            self.version += 1\n", "            pass\n"),
        "signing in leaves the version": (
            'if not self._state.adding and kwargs.get("update_fields") is None:',
            "if not self._state.adding:",
        ),
        "a new row has the first version": (
            'if not self._state.adding and kwargs.get("update_fields") is None:',
            'if kwargs.get("update_fields") is None:',
        ),
        "another version is refused": (
            "if if_version is not None and record.version not in if_version:",
            "if False:",
        ),
        "none is asked for where any will do": (
            "if if_version is not None and record.version not in if_version:",
            "if record.version not in (if_version or ()):",
        ),
    },
    "accounts/doors.py": {
        "a record carries its version": (
            '            response["ETag"] = f\'"{record.version}"\'\n',
            "            pass\n",
        ),
        "a weak tag matches nothing": ("in tags if not weak)", "in tags)"),
        "a tag is a version as it is written": ("VERSION.fullmatch(tag)", "tag.isdigit()"),
        "a malformed If-Match is refused": (
            "if not ENTITY_TAGS.fullmatch(header):",
            "if False:",
        ),
        "a star is any version": ('if header == "*" or self', 'if header == "" or self'),
        "only a change asks for a version": (
            'if header == "*" or self.request.method in SAFE_METHODS:',
            'if header == "*":',
        ),
        "where nothing has a version no tag is right": (
            "        if self.action not in self.if_match and self.if_version is not None:\n",
            "        if False:\n",
        ),
        "a stale body is not blamed for what it says": (
            "        check_version(record, self.if_version)\n",
            "",
        ),
    },
    "accounts/desk.py": {
        "a page of the admin hands on the version": (
            'changes if shown is None else changes | {"if_version": {shown}}',
            "changes",
        ),
    },
    "appointments/services.py": {
        "a move asks for the version": (f"{ASKED}    before =", "    before ="),
        "an amendment asks for the version": (f"{ASKED}    changed =", "    changed ="),
        "a move asks for the version under the lock": (
            f"    appointment = lock(appointment)\n{ASKED}    before =",
            f"{ASKED}    appointment = lock(appointment)\n    before =",
        ),
        "an amendment asks for the version under the lock": (
            f"    appointment = lock(appointment)\n{ASKED}    changed =",
            f"{ASKED}    appointment = lock(appointment)\n    changed =",
        ),
    },
    "consultations/services.py": {
        "a consultation asks for the version": (
            "    check_version(consultation, if_version)\n",
            "",
        ),
        "a start hands on the version": (
            (
                f"{LOCKED}    _refuse_closed(consultation)\n    _refuse_void(consultation, by)\n"
                "    if consultation.started_at:"
            ),
            (
                "    consultation = _lock(consultation)\n    _refuse_closed(consultation)\n"
                "    _refuse_void(consultation, by)\n    if consultation.started_at:"
            ),
        ),
        "a completion hands on the version": (
            (
                f"{LOCKED}    _refuse_closed(consultation)\n    _refuse_void(consultation, by)\n"
                "    _bring_along"
            ),
            (
                "    consultation = _lock(consultation)\n    _refuse_closed(consultation)\n"
                "    _refuse_void(consultation, by)\n    _bring_along"
            ),
        ),
        "a writing hands on the version": (
            (
                f"{LOCKED}    _refuse_closed(consultation)\n    _refuse_void(consultation, by)\n"
                "    changed ="
            ),
            (
                "    consultation = _lock(consultation)\n    _refuse_closed(consultation)\n"
                "    _refuse_void(consultation, by)\n    changed ="
            ),
        ),
        "a part counts its consultation up": (
            (
                "    Consultation.objects.filter(pk=part.consultation_id)"
                '.update(version=F("version") + 1)\n'
            ),
            "",
        ),
        "a private note leaves its consultation's version": (
            "saved = _saved if written.is_private else _saved_part",
            "saved = _saved_part",
        ),
        "another note counts its consultation up": (
            "saved = _saved if written.is_private else _saved_part",
            "saved = _saved",
        ),
    },
    "accounts/services.py": {
        "a profile asks for the version": ("    check_version(user, if_version)\n", ""),
    },
    "patients/services.py": {
        "closing a record asks for the version": ("    check_version(patient, if_version)\n", ""),
    },
    "appointments/viewsets.py": {
        "the moves heed If-Match": (
            'frozenset({"update", "partial_update", *MOVES})',
            'frozenset({"update", "partial_update"})',
        ),
    },
    "accounts/viewsets.py": {
        "a stale profile is not blamed for what it says": (
            "        check_version(request.user, self.if_version)\n",
            "",
        ),
    },
}

# What only shows where another change comes in between the look at the door and the lock.
HANDED = {
    "accounts/viewsets.py": {
        "the profile's door hands on the version": (
            "request.user, by=request.user, if_version=self.if_version, ",
            "request.user, by=request.user, ",
        ),
    },
    "patients/viewsets.py": {
        "the record's door hands on the version": (
            "            if_version=self.if_version,\n",
            "",
        ),
        "closing a record hands on the version": (
            "by=self.request.user, if_version=self.if_version)",
            "by=self.request.user)",
        ),
    },
    "appointments/viewsets.py": {
        "amending hands on the version": (
            "            if_version=self.if_version,\n            **form",
            "            **form",
        ),
        "moving hands on the version": (
            "            if_version=self.if_version,\n            **step",
            "            **step",
        ),
    },
    "consultations/viewsets.py": {
        "the door of writing hands on the version": (
            "            if_version=self.if_version,\n",
            "",
        ),
        "the door of starting hands on the version": (
            "services.start(consultation, by=request.user, if_version=self.if_version)",
            "services.start(consultation, by=request.user)",
        ),
        "the door of completing hands on the version": (
            "by=request.user, if_version=self.if_version, **closing",
            "by=request.user, **closing",
        ),
    },
}
