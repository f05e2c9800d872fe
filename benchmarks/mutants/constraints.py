"""The last word, the database's: the models' constraints, and the guards against overlaps."""

from mutants.mutant import (
    POSTGRESQL,
    Edit,
    Mutant,
    mutants,
    on_both_engines,
    without_call,
)

APPOINTMENTS = ("appointments/models.py", "appointments/migrations/0001_initial.py")
ACCOUNTS = ("accounts/models/people.py", "accounts/migrations/0001_initial.py")
KEYS = ("accounts/models/sign_in.py", "accounts/migrations/0002_idempotency_keys.py")
CONSULTATIONS = ("consultations/models.py", "consultations/migrations/0001_initial.py")

OF_APPOINTMENTS = "appointments/tests/test_constraints.py"
OF_PEOPLE = "accounts/tests/test_models.py"
OF_KEYS = "config/tests/test_idempotency.py"

# name: (its model and its migration, the tests)
CONSTRAINTS = {
    "slot_ends_after_it_starts": (APPOINTMENTS, OF_APPOINTMENTS),
    "one_standing_slot_per_start": (APPOINTMENTS, OF_APPOINTMENTS),
    "one_live_appointment_per_slot": (APPOINTMENTS, OF_APPOINTMENTS),
    "appointment_ends_after_it_starts": (APPOINTMENTS, OF_APPOINTMENTS),
    "username_in_any_case": (ACCOUNTS, OF_PEOPLE),
    "email_in_any_case": (ACCOUNTS, OF_PEOPLE),
    "one_doctor_per_license": (ACCOUNTS, OF_PEOPLE),
    "username_with_at_is_the_email": (ACCOUNTS, OF_PEOPLE),
    "staff_are_admins": (ACCOUNTS, OF_PEOPLE),
    "one_use_of_a_key": (KEYS, OF_KEYS),
    "consultation_ends_after_it_starts": (
        CONSULTATIONS,
        "consultations/tests/test_constraints.py",
    ),
    "diastolic_below_systolic": (
        CONSULTATIONS,
        "consultations/tests/test_vital_signs.py::test_the_database_holds_it_too",
    ),
}
# One of each kind, to show that a model and its migrations are held together.
IN_STEP = {"one_live_appointment_per_slot", "slot_ends_after_it_starts"}
IN_A_MODEL = ("UniqueConstraint", "CheckConstraint")


def every_mutant():
    return [*_constraints(), *(one._replace(changes_tables=True) for one in GUARDS)]


def _constraints():
    for name, ((model, migration), tests) in CONSTRAINTS.items():
        of_model = without_call(model, IN_A_MODEL, name)
        made_by = IN_A_MODEL if migration == KEYS[1] else ("AddConstraint",)
        of_database = without_call(migration, made_by, name)
        yield Mutant(name, (of_model, of_database), (tests,), changes_tables=True)
        if name in IN_STEP:
            agree = ("config/tests/test_migrations.py",)
            yield Mutant(f"{name}, from the model alone", (of_model,), agree, changes_tables=True)


MODULE = "appointments/guards.py"
OF_GUARDS = "appointments/tests/test_guards.py"
ARE_MADE = "        for guard in missing(connection):"

GUARDS = [
    *on_both_engines(
        MODULE,
        [OF_GUARDS],
        {
            "slots_of_a_doctor_do_not_overlap": (
                ARE_MADE,
                "        for guard in set(missing(connection)) - {GUARDS[0]}:",
            ),
            "appointments_of_a_patient_do_not_overlap": (
                ARE_MADE,
                "        for guard in set(missing(connection)) - {GUARDS[1]}:",
            ),
            "the guard of slots lets withdrawn ones be": (
                'standing="{row}withdrawn_at IS NULL"',
                'standing="{row}id IS NOT NULL"',
            ),
            "the guard of appointments lets cancelled ones be": (
                "standing=\"{row}status <> 'cancelled'\"",
                'standing="{row}id IS NOT NULL"',
            ),
            "the guard of slots is each doctor's": (
                'owner="doctor_id",\n        standing="{row}withdrawn_at IS NULL",',
                'owner="withdrawn_at",\n        standing="{row}withdrawn_at IS NULL",',
            ),
        },
    ),
    *mutants(
        MODULE,
        [OF_GUARDS],
        {
            "the trigger on insert": ('EVENTS = ("insert", "update")', 'EVENTS = ("update",)'),
            "the trigger on update": ('EVENTS = ("insert", "update")', 'EVENTS = ("insert",)'),
            "the trigger asks whether the new row stands": ("WHEN {new_stands} BEGIN", "BEGIN"),
            "the trigger asks whether the other row stands": (" AND {other_stands}", ""),
            "the trigger asks for one owner": ("other.{owner} = NEW.{owner} AND ", ""),
            "the trigger leaves the row itself out": (" AND other.id IS NOT NEW.id", ""),
            "the trigger lets a slot follow another": (
                "other.starts_at < NEW.ends_at",
                "other.starts_at <= NEW.ends_at",
            ),
            "the trigger lets a slot precede another": (
                "other.ends_at > NEW.starts_at",
                "other.ends_at >= NEW.starts_at",
            ),
        },
    ),
    *mutants(
        MODULE,
        [OF_GUARDS],
        {
            "the exclusion asks for one owner": ("{owner} WITH =, ", ""),
            "the exclusion asks whether the row stands": (" WHERE ({standing})", ""),
            "the exclusion lets slots touch": (
                "tstzrange(starts_at, ends_at)",
                "tstzrange(starts_at, ends_at, '[]')",
            ),
        },
        POSTGRESQL,
    ),
    *on_both_engines(
        "appointments/apps.py",
        [OF_GUARDS],
        {
            "migrate makes the guards again": (
                "        post_migrate.connect(guards.install_after_migrate, sender=self)\n",
                "",
            ),
            "a guard's refusal has its words": (
                "            integrity.REFUSALS[guard.name] = guard.refusal",
                "            pass",
            ),
        },
    ),
    *on_both_engines(
        "config/checks.py",
        [OF_GUARDS],
        {
            "the system check misses a guard": (
                "for guard in missing_guards(connections[alias])",
                "for guard in missing_guards(connections[alias])[:0]",
            ),
        },
    ),
    *on_both_engines(
        "config/health.py",
        ["config/tests/test_health.py"],
        {"/readyz misses a guard": (', "guards": guards}', "}")},
    ),
    *on_both_engines(
        "config/api/integrity.py",
        [OF_APPOINTMENTS],
        {
            "a constraint's refusal has its code": (", code=constraint.violation_error_code", ""),
            "a refusal is found by its constraint": (
                "            if constraint.name == name:\n",
                "            if False:\n",
            ),
        },
    ),
    Mutant(
        "a refusal is found by its columns",
        (
            Edit(
                "config/api/integrity.py",
                "        return _by_columns(columns[1].split",
                "        return None and _by_columns(columns[1].split",
            ),
        ),
        (OF_APPOINTMENTS,),
    ),
]
