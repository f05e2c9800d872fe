"""Each rule that guards against slips, asked wherever the change can be made.

RULES lists each rule with all the ways to break it: the API at both mounts, a status in a PUT or
PATCH, the pages and lists of the admin, the services, the commands. One test walks the table.
"""

from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command

from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows, clinic_time, make_slot
from consultations import services
from consultations.models import Consultation, Prescription
from consultations.tests.factories import MEDICATION, add_parts

START = clinic_time("2026-12-07 09:00")
BEFORE_ITS_DAY = START - timedelta(days=1)
AFTER_ITS_START = START + timedelta(minutes=20)
LONG_AFTER = START + timedelta(hours=73)
MOUNTS = ["/api", "/api/{app}/api"]
PENICILLIN = MEDICATION | {"medication_name": "Penicillin"}
ROWS = Appointment, AppointmentHistory, Consultation, Prescription


@pytest.fixture
def clinic(api, client, smith, jane, ada):
    """Jane's visit at Dr. Smith's on Monday, with an open consultation and a stopped medication."""
    with clock.frozen_at(clinic_time("2026-12-02 10:00")):
        slot = make_slot("2026-12-07 09:00", doctor=smith)
        other = make_slot("2026-12-18 09:00", doctor=smith)
        visit = make_appointment("confirmed", time_slot=slot, patient=jane)
        room = add_parts(services.open_for(visit, by=smith))
        drug = services.prescribe(room, by=smith, override_reason="Tested", **PENICILLIN)
        services.set_active(drug, by=smith, is_active=False)
    client.force_login(ada)
    return SimpleNamespace(
        api=api, browser=client, smith=smith, jane=jane, ada=ada, visit=visit, room=room, drug=drug,
        other=other,
    )  # fmt: skip


def completed(clinic):
    """Completes the visit with its consultation."""
    with clock.frozen_at(START):
        services.complete(clinic.room, by=clinic.smith)


def ended(clinic):
    """Completes the visit alone."""
    with clock.frozen_at(START):
        appointments.move(clinic.visit, "complete", by=clinic.smith)


# --- The ways to make a change. Each returns the code of the refusal, or None. ---------------


def by_request(clinic, mount, *, app, path, by="smith", method="post", body=None):
    path = path.format(visit=clinic.visit.pk, room=clinic.room.pk, drug=clinic.drug.pk)
    body = {"time_slot": clinic.other.pk} if path.endswith("reschedule/") else body or {}
    client = clinic.api(getattr(clinic, by))
    response = getattr(client, method)(f"{mount.format(app=app)}{path}", body)
    return response.json().get("code")


def by_service(clinic, work):
    with pytest.raises(ValidationError) as refused:
        work(clinic)
    [error] = [one for errors in refused.value.error_dict.values() for one in errors]
    return error.code or "validation_error"


def on_page(clinic, page, body=None):
    """The page of an action in the admin."""
    page = page.format(visit=clinic.visit.pk, room=clinic.room.pk)
    response = clinic.browser.post(f"/admin/{page}/", body or {})
    assert response.status_code == 200, "the page accepted the change"
    errors = response.context["form"].errors.as_data()
    return {"required": "validation_error"}.get(code := next(iter(errors.values()))[0].code, code)


def in_list(clinic, action, sentence):
    """An action of the list in the admin shows the sentence of the refusal."""
    address = "/admin/appointments/appointment/"
    body = {"action": action, "_selected_action": [clinic.visit.pk]}
    shown = str(next(iter(clinic.browser.post(address, body, follow=True).context["messages"])))
    assert sentence in shown
    return "refused"


def by_command(clinic):
    """Anonymising ends a visit that was started before its day, without completing it."""
    Appointment.objects.filter(pk=clinic.visit.pk).update(status=Status.IN_PROGRESS)
    call_command("anonymise_patient", str(clinic.jane.pk), "--by", clinic.ada.username, "--yes")
    assert Appointment.objects.get(pk=clinic.visit.pk).status == Status.CANCELLED
    assert Consultation.objects.get(pk=clinic.room.pk).ended_at is None
    return "cancelled instead"


def requests(name, *, app="appointments", **request):
    """The same request at both mounts."""
    return {f"{name} at {mount}": partial(by_request, mount=mount, app=app, **request)
            for mount in MOUNTS}  # fmt: skip


def service(work):
    return partial(by_service, work=work)


def moves(*names, **request):
    return {
        door: ask
        for name in names
        for door, ask in requests(name, path=f"/appointments/{{visit}}/{name}/", **request).items()
    }


def steps(*names, **request):
    return {
        door: ask
        for name in names
        for door, ask in requests(
            name, app="consultations", path=f"/consultations/{{room}}/{name}/", **request
        ).items()
    }


def statuses(method, *values):
    return {
        door: ask
        for value in values
        for door, ask in requests(
            f"{method} {value}",
            path="/appointments/{visit}/",
            method=method,
            body={"status": value, "reason_for_visit": "A cough that does not go away"},
        ).items()
    }


def prescriptions(name, path="", **request):
    address = f"/consultations/{{room}}/prescriptions/{path}"
    return requests(name, app="consultations", path=address, **request)


TOO_EARLY = "It cannot be started, completed or marked as a no-show before that day."
ON_ITS_DAY = ("start", "complete", "no_show")
RESUME = {"is_active": True}
SLIP, NO_REASON = {"reason": "A slip"}, {"reason": "  "}


def move(name, by="smith", **details):
    def work(clinic):
        extra = {"time_slot": clinic.other} if name == "reschedule" else details
        appointments.move(clinic.visit, name, by=getattr(clinic, by), **extra)

    return service(work)


def reopen_consultation(reason):
    return service(lambda clinic: services.reopen(clinic.room, by=clinic.smith, reason=reason))


# {rule: (the moment, what happened before, the code of the refusal, {way: how})}
RULES = {
    "no visit before its day": (
        BEFORE_ITS_DAY,
        None,
        "too_early",
        {
            **moves(*ON_ITS_DAY),
            **moves(*ON_ITS_DAY, by="ada"),
            **statuses("patch", "in_progress", "completed", "no_show"),
            **statuses("put", "in_progress", "completed", "no_show"),
            **steps("start_consultation", "complete_consultation"),
            **{f"page {name}": partial(on_page, page=f"appointments/appointment/{{visit}}/{name}")
               for name in ON_ITS_DAY},
            **{f"page of the consultation {name}":
               partial(on_page, page=f"consultations/consultation/{{room}}/{name}")
               for name in ("start", "complete")},
            **{f"list {name}": partial(in_list, action=f"{name}_chosen", sentence=TOO_EARLY)
               for name in ON_ITS_DAY},
            **{f"service {name}": move(name) for name in ON_ITS_DAY},
            "service update": service(
                lambda clinic: appointments.update(clinic.visit, by=clinic.smith, status="no_show")
            ),
            "service start": service(lambda clinic: services.start(clinic.room, by=clinic.smith)),
            "service complete consultation": service(
                lambda clinic: services.complete(clinic.room, by=clinic.smith)
            ),
            "command anonymise_patient": by_command,
        },
    ),
    "no move of a patient after the start": (
        AFTER_ITS_START,
        None,
        "invalid_transition",
        {
            **moves("cancel", "reschedule", by="jane"),
            "service cancel": move("cancel", by="jane"),
            "service reschedule": move("reschedule", by="jane"),
        },
    ),
    "no medication against an allergy": (
        AFTER_ITS_START,
        None,
        "allergy_conflict",
        {
            **prescriptions("prescribe", body=PENICILLIN),
            **prescriptions("resume", "{drug}/", method="patch", body=RESUME),
            **prescriptions(
                "resume as admin", "{drug}/", method="patch", by="ada",
                body=RESUME | {"override_reason": " "},
            ),
            "service prescribe": service(
                lambda clinic: services.prescribe(clinic.room, by=clinic.smith, **PENICILLIN)
            ),
            "service resume": service(
                lambda clinic: services.set_active(clinic.drug, by=clinic.smith, is_active=True)
            ),
        },
    ),
    "no medication resumed after the visit": (
        AFTER_ITS_START,
        completed,
        "consultation_closed",
        {
            **prescriptions(
                "resume", "{drug}/", method="patch", body=RESUME | {"override_reason": "Tested"}
            ),
            "service resume": service(
                lambda clinic: services.set_active(
                    clinic.drug, by=clinic.smith, is_active=True, override_reason="Tested"
                )
            ),
        },
    ),
    "no appointment reopened by its doctor after the time limit": (
        LONG_AFTER,
        ended,
        "invalid_transition",
        {**moves("reopen", body=SLIP), "service reopen": move("reopen", reason="A slip")},
    ),
    "no consultation reopened by its doctor after the time limit": (
        LONG_AFTER,
        completed,
        "invalid_transition",
        {**steps("reopen", body=SLIP), "service reopen": reopen_consultation("A slip")},
    ),
    "no appointment reopened beside its completed consultation": (
        AFTER_ITS_START,
        completed,
        "invalid_transition",
        {
            **moves("reopen", body=SLIP),
            **moves("reopen", by="ada", body=SLIP),
            "page": partial(on_page, page="appointments/appointment/{visit}/reopen", body=SLIP),
            "service": move("reopen", reason="A slip"),
        },
    ),
    "no appointment reopened without a reason": (
        AFTER_ITS_START,
        ended,
        "validation_error",
        {
            **moves("reopen", body=NO_REASON),
            "page": partial(on_page, page="appointments/appointment/{visit}/reopen"),
            "service": move("reopen"),
        },
    ),
    "no consultation reopened without a reason": (
        AFTER_ITS_START,
        completed,
        "validation_error",
        {
            **steps("reopen", body=NO_REASON),
            "page": partial(on_page, page="consultations/consultation/{room}/reopen"),
            "service": reopen_consultation(" "),
        },
    ),
}  # fmt: skip
CASES = [(rule, way) for rule, (*_, ways) in RULES.items() for way in ways]


@pytest.mark.parametrize(("rule", "way"), CASES)
def test_a_rule_holds_wherever_the_change_is_made(rule, way, clinic):
    moment, prepare, code, ways = RULES[rule]
    if prepare:
        prepare(clinic)
    before = all_rows(*ROWS)

    with clock.frozen_at(moment):
        outcome = ways[way](clinic)

    if ways[way] is by_command:
        assert outcome == "cancelled instead"
        return
    assert outcome in (code, "refused")
    assert all_rows(*ROWS) == before
