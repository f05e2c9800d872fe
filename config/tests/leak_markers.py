"""Leak markers: words planted in every text, and the search for places where they leak."""

import re
from types import SimpleNamespace

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import CharField, EmailField, TextField
from django.test import RequestFactory
from drf_spectacular.generators import SchemaGenerator

from accounts.auth.sessions import open_session
from accounts.licences import verify_licence
from accounts.models import Doctor
from accounts.tests.factories import AdminFactory
from accounts.tests.helpers import data
from appointments.tests.factories import TimeSlotFactory, on_the_day
from config.access_report import iter_endpoints
from config.tests.personas import NESTED, address_of
from patients.models import Patient

# The endpoints that end the caller's own session come last.
ENDPOINTS = sorted(
    (endpoint for endpoint in iter_endpoints() if endpoint.is_canonical),
    key=lambda endpoint: "/sessions/" in endpoint.address,
)
KEPT = "zq7kept"  # in the records of the clinic
SENT = "zq7sent"  # in the requests
PHONES = {KEPT: "+49 7077 8899 1", SENT: "+49 7077 8899 2"}
MARKER = re.compile(r".{0,80}(?:zq7|7077.?8899).{0,40}", re.IGNORECASE)

OURS = ["accounts", "patients", "appointments", "consultations"]
# Text that no person writes: ids of tokens, digests, names of moves, stored hashes and files.
MADE_HERE = {
    "template",
    "language",
    "last_error",
    "jti",
    "fingerprint",
    "password",
    "action",
    "avatar",
    "history_type",
    "from_status",
}
MADE_HERE |= {"history_change_reason", "key"}

NOT_TEXT = {"date", "date-time", "time", "uri", "binary"}

# Values that a body needs besides its texts.
CHOSEN = {
    "user_type": "patient",
    "note_type": "plan",
    "date": "2027-05-05",
    "start_time": "09:00",
    "end_time": "09:30",
    "slot_duration": 30,
}


def found_in(text, own=None):
    """The markers in a text, with the words around them.

    `own` is the marker that the reader wrote, which may be shown to them again.
    """
    if own:
        text = re.sub(f"{own}|{re.escape(PHONES[own])}", "", text, flags=re.IGNORECASE)
    return sorted(set(MARKER.findall(text)))


class Bodies:
    """Bodies for every endpoint that takes one, made from the OpenAPI document.

    A new field is planted without a change here.
    """

    def __init__(self):
        schema = SchemaGenerator().get_schema(request=None, public=True)
        self.components = schema["components"]["schemas"]
        self.operations = {
            (method.upper(), path): operation["requestBody"]["content"]["application/json"]
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
            if "requestBody" in operation
        }

    def __call__(self, word, method, address, **chosen):
        """A body with `word` in every text. `chosen` are other values; None leaves a field out.

        Required fields that hold no text have the value of the documented example.
        """
        media = self.operations.get((method, address.replace("{pk}", "{id}")))
        if media is None:
            return {}
        schema = self.resolve(media["schema"])
        fields = schema.get("properties", {})
        example = next(iter(media.get("examples", {}).values()), {}).get("value", {})
        required = {name: example.get(name) for name in schema.get("required", ())}
        texts = {name: _text(name, field, word) for name, field in fields.items()}
        texts = {name: text for name, text in texts.items() if text is not None}
        return {
            name: value
            for name, value in (required | texts | CHOSEN | chosen).items()
            if value is not None and name in fields
        }

    def resolve(self, schema):
        if "$ref" in schema:
            schema = self.components[schema["$ref"].rpartition("/")[2]]
        for one_of_several in ("oneOf", "anyOf"):
            if one_of_several in schema:
                return self.resolve(schema[one_of_several][0])
        return schema


def _text(name, field, word):
    field = field.get("oneOf", [field])[0]
    if field.get("type") != "string" or field.get("format") in NOT_TEXT:
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
    """Pairs of model and field for every text that a person writes, without choices."""
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
    """The written fields without a marker in any row."""
    return sorted(
        f"{model.__name__}.{name}"
        for model, name in written_fields()
        if not any(
            found_in(str(text)) and (word in str(text) or "7077" in str(text))
            for text in model._base_manager.values_list(name, flat=True)
        )
    )


MOVES = {
    *(f"/api/appointments/{{pk}}/{move}/" for move in ("cancel", "confirm", "reschedule")),
    *(f"/api/consultations/{{pk}}/{step}/" for step in ("complete_consultation", "reopen")),
}


def plant(api, bodies):
    """A clinic in which every text a person can write holds the marker KEPT."""

    def ask(who, method, address, ids=None, **chosen):
        body = bodies(KEPT, method, address, **chosen)
        return data(
            getattr(who, method.lower())(address.format(**(ids or {})), body),
            status=201 if method == "POST" and address not in MOVES else 200,
        )

    admin = api(AdminFactory(username="desk"))
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
    ask(admin, "PATCH", "/api/patients/{pk}/", {"pk": jane.pk}, email=None, current_password=None)
    ask(patient, "PATCH", "/api/auth/profile/", email=f"{KEPT}.new@example.com",
        medical_license_number=None, specialization=None, contact_email=None)  # fmt: skip
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
    with on_the_day(slots[2]):
        ask(doctor, "POST", "/api/consultations/{pk}/complete_consultation/", {"pk": room})
        ask(doctor, "POST", "/api/consultations/{pk}/reopen/", {"pk": room})
    emergency = "/api/patients/{patient}/emergency-access/"
    ask(doctor, "POST", emergency, {"patient": jane.pk})
    for address, record in NESTED.items():
        if record.part_of == "consultation":
            ask(doctor, "POST", address, {"consultation": room}, heart_rate=70)
    return SimpleNamespace(jane=jane, house=house)


def walk(client, actor, clinic, bodies):
    """Sends valid and invalid requests to every endpoint of the API; yields the responses."""
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
    for endpoint in ENDPOINTS:
        address = address_of(endpoint, clinic)
        for method in sorted(set(endpoint.actions) - {"head", "delete"}):
            if method == "get":
                query = f"?search={SENT}&{SENT}={SENT}&ordering={SENT}"
                yield client.get(address)
                yield client.get(f"{address}{query}")
                yield client.get(f"{address}?search={SENT}")
                continue
            body = bodies(SENT, method.upper(), endpoint.address, **ids)
            key = {"HTTP_IDEMPOTENCY_KEY": f"{SENT}-{actor}-{method}-{address}"}
            yield client.generic(method.upper(), address, f'{{"{SENT}"', "application/json")
            yield getattr(client, method)(address, body | {SENT: SENT})
            yield getattr(client, method)(address, body, HTTP_IF_MATCH=f'"{SENT}"')
            yield getattr(client, method)(address, body, **key)
            yield getattr(client, method)(address, body | {"reason": "other"}, **key)
