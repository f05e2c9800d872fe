"""Dates at the limits of datetime: refused, never an overflow when a time zone shifts them."""

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import models
from django.test import RequestFactory
from rest_framework import serializers

from accounts.models import Session, User
from accounts.tests.factories import DoctorFactory
from config.api.fields import BoundedDateTimeField
from config.api.serializers import StrictModelSerializer

EXTREMES = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "1799-12-30T23:59:59Z",
    "2201-01-02T00:00:00Z",
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York"]


class ExpirySerializer(StrictModelSerializer):
    class Meta:
        model = Session
        fields = ["expires_at"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("value", EXTREMES)
def test_a_date_time_at_the_limits_is_refused_under_its_name(settings, zone, value):
    settings.TIME_ZONE = zone

    serializer = ExpirySerializer(data={"expires_at": value})

    assert isinstance(serializer.fields["expires_at"], BoundedDateTimeField)
    assert not serializer.is_valid()
    assert list(serializer.errors) == ["expires_at"]


def test_a_date_time_within_the_bounds_is_read():
    serializer = ExpirySerializer(data={"expires_at": "2030-01-01T00:30:00+01:00"})

    assert serializer.is_valid()
    assert serializer.validated_data == {"expires_at": datetime(2029, 12, 31, 23, 30, tzinfo=UTC)}


def test_no_serializer_reads_a_date_time_without_bounds():
    unbounded = {
        f"{one.__name__}.{name}"
        for one in serializers_of(serializers.BaseSerializer)
        if one.__module__.split(".")[0] in OWN and hasattr(one, "_declared_fields")
        for name, field in fields_of(one).items()
        if isinstance(field, serializers.DateTimeField)
        and not (field.read_only or isinstance(field, BoundedDateTimeField))
    }

    # They only write responses.
    assert unbounded == {"SessionSerializer.created_at", "AvailabilitySerializer.next_available"}


OWN = {"config", "accounts", "patients", "appointments", "consultations"}


def serializers_of(parent):
    for child in parent.__subclasses__():
        yield child
        yield from serializers_of(child)


def a_request():
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    return request


def fields_of(serializer):
    meta = getattr(serializer, "Meta", None)
    is_abstract = issubclass(serializer, serializers.ModelSerializer) and not meta
    return {} if is_abstract else serializer(context={"request": a_request()}).fields


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("ada", "ada@example.com", "x" * 12))
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("lookup", "value"), [
    ("__gte", "0001-01-01T00:00:00+14:00"), ("", "9999-12-31T23:59:59-12:00"),
    ("__lt", "0001-1-1"), ("__range", "2030-01-01,9999-12-31"), ("__year", "1"),
    ("__year", "9999"), ("__year", "9" * 14),
])  # fmt: skip
def test_a_list_of_the_admin_refuses_them(staff, settings, zone, lookup, value):
    settings.TIME_ZONE = zone

    response = staff.get("/admin/appointments/timeslot/", {f"starts_at{lookup}": value})

    assert response.status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_admin_finds_and_takes_no_slot_on_such_a_day(staff, settings, zone, day):
    settings.TIME_ZONE = zone
    slot = {"doctor": DoctorFactory().pk, "date": day, "start_time": "09:00", "end_time": "09:30"}

    found = staff.get("/admin/appointments/timeslot/", {"q": day})
    refused = staff.post("/admin/appointments/timeslot/add/", slot)

    assert list(found.context["cl"].result_list) == []
    assert list(refused.context["adminform"].form.errors) == ["date"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_archive_of_the_audit_takes_no_such_day(tmp_path, day):
    with pytest.raises(CommandError, match="--before"):
        call_command("archive_audit", str(tmp_path / "archive"), f"--before={day}")


@pytest.mark.django_db
def test_every_list_of_the_admin_refuses_them(staff):
    date_times = {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/": field.name
        for model in apps.get_models()
        if admin.site.is_registered(model)
        for field in model._meta.fields
        if isinstance(field, models.DateTimeField)
    }

    refused = {
        address: staff.get(address, {f"{name}__gte": EXTREMES[0]}).status_code
        for address, name in date_times.items()
    }

    assert len(refused) > 10
    assert set(refused.values()) == {400}
