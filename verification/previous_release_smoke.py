"""A smoke test that `previous_release.py` runs inside the previous release's code.

It imports nothing of the product and speaks to the API alone, so that it fits each release. The
first call that answers with another status than expected ends it with that answer.
"""

import json
from datetime import date, timedelta

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client  # noqa: E402

PASSWORD = "a-battery-for-the-smoke-test"  # noqa: S105
DAY = (date.today() + timedelta(days=7)).isoformat()  # noqa: DTZ011
CREATED = 201

client = Client(SERVER_NAME="localhost")


def call(method, path, body=None, token=None, expect=200):
    """The `data` of the answer; None for an error."""
    response = client.generic(
        method,
        f"/api/{path}",
        json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    if response.status_code != expect:
        text = response.content.decode()
        raise SystemExit(f"{method} {path}: {response.status_code} for {expect}: {text}")
    return json.loads(response.content).get("data")


def same(got, expected):
    if got != expected:
        raise SystemExit(f"{got!r} instead of {expected!r}")


def register(username, **fields):
    """Registers an account and signs in: {access, refresh, user}."""
    account = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    call("POST", "auth/register/", account | fields, expect=CREATED)
    body = {"username": username, "password": PASSWORD}
    return call("POST", "auth/login/", body)


smith = register(
    "smoke-doctor",
    first_name="John",
    last_name="Smith",
    user_type="doctor",
    medical_license_number="SMOKE-1",
    specialization="Cardiology",
)["access"]
signed_in = register("smoke-patient", first_name="Jane", last_name="Doe", user_type="patient")
tokens = call("POST", "auth/refresh/", {"refresh": signed_in["refresh"]})
jane = tokens["access"]
call("PATCH", "auth/profile/", {"phone": "030 123"}, jane)

slots = [
    call(
        "POST",
        "time-slots/",
        {"date": DAY, "start_time": start, "end_time": end},
        smith,
        expect=CREATED,
    )["id"]
    for start, end in (("09:00", "09:30"), ("10:00", "10:30"))
]
same(call("GET", "time-slots/?available=true", token=jane)["count"], len(slots))

cancelled, kept = [
    call(
        "POST",
        "appointments/",
        {"time_slot": slot, "reason_for_visit": "A smoke test"},
        jane,
        expect=CREATED,
    )["id"]
    for slot in slots
]
call("POST", f"appointments/{cancelled}/cancel/", {"reason": "A smoke test"}, jane)
call("POST", f"appointments/{kept}/confirm/", {}, smith)
same(call("GET", "appointments/", token=smith)["count"], len(slots))
history = call("GET", f"appointments/{cancelled}/history/", token=jane)["results"]
same([step["action"] for step in history], ["book", "cancel"])
same([row["id"] for row in call("GET", "upcoming/", token=jane)["results"]], [kept])

patient = signed_in["user"]["id"]
walk_in = {"patient": patient, "chief_complaint": "Headache"}
consultation = call("POST", "consultations/", walk_in, smith, expect=CREATED)["id"]
address = f"consultations/{consultation}"
call("POST", f"{address}/vital-signs/", {"systolic_bp": 120}, smith, expect=CREATED)
prescription = {
    "medication_name": "Ibuprofen",
    "dosage": "400 mg",
    "frequency": "twice a day",
    "duration": "3 days",
}
call("POST", f"{address}/prescriptions/", prescription, smith, expect=CREATED)
note = {"note_type": "plan", "content": "Rest."}
call("POST", f"{address}/notes/", note, smith, expect=CREATED)
call("POST", f"{address}/complete_consultation/", {"diagnosis": "Migraine"}, smith)
same(call("GET", f"{address}/", token=jane)["diagnosis"], "Migraine")
call("GET", f"patients/{patient}/access-log/", token=jane)
call("POST", "auth/logout/", {"refresh": tokens["refresh"]}, jane)
call("GET", "auth/profile/", token=jane, expect=401)

admin = get_user_model().objects.create_superuser("smoke-admin", "admin@example.com", PASSWORD)
client.force_login(admin)
for page in ("", "appointments/appointment/", "accounts/user/", "consultations/consultation/"):
    same((page, client.get(f"/admin/{page}").status_code), (page, 200))
