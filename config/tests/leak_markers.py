"""Markers: words planted wherever a person writes, and the places where they must not turn up."""

import re
from types import SimpleNamespace

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import CharField, EmailField, TextField
from django.test import RequestFactory
from drf_spectacular.generators import SchemaGenerator

from accounts.auth.sessions import open_session
from accounts.models import Doctor
from accounts.services import verify_licence
from accounts.tests.factories import AdminFactory
from accounts.tests.helpers import data
from appointments.tests.factories import TimeSlotFactory
from config.access_report import iter_endpoints
from config.tests.personas import address_of
from patients.models import Patient

# Last those that end the session the caller comes with.
DOORS = sorted(
    (door for door in iter_endpoints() if door.is_canonical),
    key=lambda door: "/sessions/" in door.address,
)
KEPT = "zq7kept"  # what the clinic's records hold
SENT = "zq7sent"  # what a request carries
PHONES = {KEPT: "+49 7077 8899 1", SENT: "+49 7077 8899 2"}
MARKER = re.compile(r".{0,80}(?:zq7|7077.?8899).{0,40}", re.IGNORECASE)

OURS = ["accounts", "patients", "appointments", "consultations"]
# Text that nobody writes: tokens' ids, digests, names of steps, stored hashes and files.
MADE_HERE = {"jti", "fingerprint", "password", "action", "avatar", "history_type", "from_status"}
MADE_HERE |= {"history_change_reason", "key"}

# What a body needs besides its texts.
CHOSEN = {
    "user_type": "patient",
    "note_type": "plan",
    "date": "2027-05-05",
    "start_time": "09:00",
    "end_time": "09:30",
    "slot_duration": 30,
}


def found_in(text, own=None):
    """The places where a marker shows, with what stands around them.

    `own` is what the reader wrote and may be shown again.
    """
    if own:
        text = re.sub(f"{own}|{re.escape(PHONES[own])}", "", text, flags=re.IGNORECASE)
    return sorted(set(MARKER.findall(text)))


class Bodies:
    """Bodies for every door that takes one, read off the documentation of the API.

    So that a field which is new tomorrow is planted tomorrow.
    """

    def __init__(self):
        schema = SchemaGenerator().get_schema(request=None, public=True)
        self.components = schema["components"]["schemas"]
        self.doors = {
            (method.upper(), path): operation["requestBody"]["content"]["application/json"]
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
            if "requestBody" in operation
        }

    def __call__(self, word, method, address, **chosen):
        """A body with `word` in every text; `chosen` says the rest, None leaves a field out."""
        media = self.doors.get((method, address.replace("{pk}", "{id}")))
        if media is None:
            return {}
        fields = self.fields(media["schema"])
        texts = {name: _text(name, field, word) for name, field in fields.items()}
        return {
            name: value
            for name, value in (texts | CHOSEN | chosen).items()
            if value is not None and name in fields
        }

    def fields(self, schema):
        if "$ref" in schema:
            schema = self.components[schema["$ref"].rpartition("/")[2]]
        for one_of_several in ("oneOf", "anyOf"):
            if one_of_several in schema:
                return self.fields(schema[one_of_several][0])
        return schema.get("properties", {})


def _text(name, field, word):
    field = field.get("oneOf", [field])[0]
    if field.get("type") != "string" or field.get("format") in ("date", "uri", "binary"):
        return None
    if "phone" in name:
        return PHONES[word]
    if field.get("format") == "email":
        return f"{word}@example.com"
    if "password" in name:
        return f"{word}, and a long sentence of many words that is like no name at all"
    if name == "username":
        return f"{word}.somebody"
    return f"{word} {name}"[: field.get("maxLength", 1000)]


def written_fields():
    """Every text a person writes: (model, field) of each app, without choices."""
    return {
        (model, field.name)
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        if not model._meta.proxy and not model.__name__.startswith(("Historical", "Audit"))
        for field in model._meta.local_concrete_fields
        if isinstance(field, CharField | TextField | EmailField)
        and not field.choices
        and field.name not in MADE_HERE
    }


def without_marker(word):
    """Those of them that hold no marker in any row: they were not planted."""
    return sorted(
        f"{model.__name__}.{name}"
        for model, name in written_fields()
        if not any(
            found_in(str(text)) and (word in str(text) or "7077" in str(text))
            for text in model._base_manager.values_list(name, flat=True)
        )
    )


MOVES = {f"/api/appointments/{{pk}}/{move}/" for move in ("cancel", "confirm", "reschedule")}


def plant(api, bodies):
    """A clinic in which every text a person can write holds the marker KEPT."""

    def ask(who, method, address, ids=None, **chosen):
        body = bodies(KEPT, method, address, **chosen)
        return data(
            getattr(who, method.lower())(address.format(**(ids or {})), body),
            status=201 if method == "POST" and address not in MOVES else 200,
        )

    desk = api(AdminFactory(username="desk"))
    ask(api(), "POST", "/api/auth/register/", username="zq7kept.jane", medical_license_number=None,
        specialization=None)  # fmt: skip
    ask(api(), "POST", "/api/auth/register/", username="zq7kept.house", user_type="doctor",
        email="zq7kept.house@example.com", medical_history=None, allergies=None,
        emergency_contact=None, emergency_contact_phone=None,
        emergency_contact_relation=None)  # fmt: skip
    jane, house = Patient.objects.get(), Doctor.objects.get()
    verify_licence(house)
    patient, doctor = api(jane), api(house)
    open_session(jane, request=RequestFactory(headers={"User-Agent": KEPT}).get("/"))
    ask(desk, "PATCH", "/api/patients/{pk}/", {"pk": jane.pk}, email=None, current_password=None)
    slots = [TimeSlotFactory(doctor=house) for _ in range(3)]
    book = ("POST", "/api/appointments/")
    seen, dropped = (
        ask(patient, *book, time_slot=slot.pk, patient=jane.pk, doctor_notes=None)["id"]
        for slot in slots[:2]
    )
    ids = {"pk": seen}
    ask(patient, "POST", "/api/appointments/{pk}/cancel/", {"pk": dropped})
    ask(patient, "POST", "/api/appointments/{pk}/reschedule/", ids, time_slot=slots[2].pk)
    ask(doctor, "PATCH", "/api/appointments/{pk}/", ids, reason_for_visit=None, symptoms=None,
        contact_phone=None, patient_notes=None)  # fmt: skip
    ask(doctor, "POST", "/api/appointments/{pk}/confirm/", ids)
    room = ask(doctor, "POST", "/api/consultations/", appointment=seen, patient=None)["id"]
    ask(doctor, "PATCH", "/api/consultations/{pk}/", {"pk": room})
    emergency = "/api/patients/{patient}/emergency-access/"
    ask(doctor, "POST", emergency, {"patient": jane.pk})
    for part in ("vital-signs", "prescriptions", "notes"):
        address = f"/api/consultations/{{consultation}}/{part}/"
        ask(doctor, "POST", address, {"consultation": room}, heart_rate=70)
    return SimpleNamespace(jane=jane, house=house)


def walk(client, actor, clinic, bodies):
    """Every door of the API, rightly and wrongly; yields the answers."""
    ids = {"patient": clinic.jane.pk, "doctor": clinic.house.pk, "time_slot": clinic.free.pk}
    ids["appointment"] = clinic.appointment.pk
    for address in (f"/api/{SENT}/", f"/api/patients/{SENT}/", f"/{SENT}/", f"/api/docs/{SENT}"):
        yield client.get(f"{address}?name={SENT}")
    yield client.get("/api/doctors/", HTTP_HOST=f"{SENT}.example")
    yield client.get("/api/doctors/", HTTP_AUTHORIZATION=f"Bearer {SENT}")
    yield client.get("/api/doctors/", HTTP_ACCEPT=f"text/{SENT}")
    yield client.post("/api/appointments/", SENT, content_type=f"text/{SENT}")
    yield client.generic(SENT.upper(), "/api/doctors/")
    picture = SimpleUploadedFile(f"{SENT}.png", SENT.encode(), "image/png")
    yield client.patch("/api/auth/profile/", {"avatar": picture}, format="multipart")
    for door in DOORS:
        address = address_of(door, clinic)
        for method in sorted(set(door.actions) - {"head", "delete"}):
            if method == "get":
                query = f"?search={SENT}&{SENT}={SENT}&ordering={SENT}"
                yield client.get(address)
                yield client.get(f"{address}{query}")
                yield client.get(f"{address}?search={SENT}")
                continue
            body = bodies(SENT, method.upper(), door.address, **ids)
            key = {"HTTP_IDEMPOTENCY_KEY": f"{SENT}-{actor}-{method}-{address}"}
            yield client.generic(method.upper(), address, f'{{"{SENT}"', "application/json")
            yield getattr(client, method)(address, body | {SENT: SENT})
            yield getattr(client, method)(address, body, HTTP_IF_MATCH=f'"{SENT}"')
            yield getattr(client, method)(address, body, **key)
            yield getattr(client, method)(address, body | {"reason": "other"}, **key)
