"""The names of fields that a serializer makes read-only for a role or after creation."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.roles import UserType
from appointments.models import Appointment
from config.api.serializers import StrictModelSerializer


def make_serializer(**tables):
    meta = type("Meta", (), {"model": Appointment, "fields": ["status", "doctor_notes"]})
    return type("VisitSerializer", (StrictModelSerializer,), {"Meta": meta} | tables)


@pytest.mark.parametrize(
    ("tables", "subject"),
    [
        (
            {"read_only_for": {UserType.PATIENT: {"status", "room"}}},
            "VisitSerializer.read_only_for[UserType.PATIENT] names room",
        ),
        (
            {"immutable_fields": {"room", "floor"}},
            "VisitSerializer.immutable_fields names floor, room",
        ),
    ],
)
def test_a_serializer_cannot_make_a_field_read_only_that_it_does_not_have(tables, subject):
    with pytest.raises(ImproperlyConfigured) as refusal:
        make_serializer(**tables)
    message = f"{subject}, which VisitSerializer.Meta.fields does not contain."
    assert str(refusal.value) == message


def test_a_field_can_be_both_hidden_and_read_only(jane, rf):
    serializer = make_serializer(read_only_for={UserType.PATIENT: {"status", "doctor_notes"}})
    request = rf.get("/")
    request.user = jane
    fields = serializer(context={"request": request}).fields
    assert {name: field.read_only for name, field in fields.items()} == {"status": True}
