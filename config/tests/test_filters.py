"""Applying only the filters that a request uses gives the same result as applying all."""

import pytest
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from appointments.filters import AppointmentFilter
from appointments.models import Appointment
from appointments.viewsets import AppointmentViewSet
from config.api.filters import CachedFilterBackend
from consultations.viewsets import ConsultationViewSet


def found(backend, view, query):
    request = Request(APIRequestFactory().get(f"/?{query}"))
    try:
        rows = backend().filter_queryset(request, view.queryset.all(), view())
    except ValidationError as error:
        return error.get_full_details()
    return str(rows.query), list(rows)


@pytest.mark.parametrize("view", [AppointmentViewSet, ConsultationViewSet])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "page=2",
        "status=",
        "status=scheduled",
        "status=completed&patient=1",
        "patient=1&status=completed",
        "date_before=2030-01-01&date_after=2020-01-01&doctor=",
        "date=2026-02-30",
        "date=x&doctor=x&status=x",
        "status=x&doctor=x&date=x",
        "status=scheduled&status=cancelled",
        "priority=high&consultation_type=general",
    ],
)
def test_skipping_unused_filters_changes_neither_results_nor_errors(clinic, view, query):
    every = found(DjangoFilterBackend, view, query)

    assert found(CachedFilterBackend, view, query) == every


def test_filters_are_built_once_and_not_per_request(clinic, monkeypatch):
    def made(*args, **kwargs):
        raise AssertionError("a filter was made")

    found(CachedFilterBackend, AppointmentViewSet, "status=scheduled")
    monkeypatch.setattr(AppointmentFilter, "__init__", made)

    _, rows = found(CachedFilterBackend, AppointmentViewSet, "search=Jane")
    assert len(rows) == Appointment.objects.count()
    assert found(CachedFilterBackend, AppointmentViewSet, "status=scheduled")
    with pytest.raises(AssertionError, match="a filter was made"):  # for the error messages
        found(CachedFilterBackend, AppointmentViewSet, "status=nonsense")
