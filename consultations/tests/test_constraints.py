"""Database constraints of consultations, tested without the services."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from config.api.exceptions import problem_from
from consultations.models import Consultation
from consultations.tests.factories import make_consultation

pytestmark = pytest.mark.django_db


def test_a_consultation_ends_after_it_starts():
    visit = make_consultation(completed=True)
    rows = Consultation.objects.filter(pk=visit.pk)

    with (
        pytest.raises(IntegrityError, match="consultation_ends_after_it_starts"),
        transaction.atomic(),
    ):
        rows.update(started_at=visit.ended_at + timedelta(seconds=1))

    rows.update(started_at=visit.ended_at)
    assert rows.get().duration_minutes == 0


def test_an_appointment_has_one_consultation():
    visit, other = make_consultation(), make_consultation()

    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Consultation.objects.filter(pk=other.pk).update(appointment=visit.appointment)

    told = problem_from(error.value)
    assert (told.status, told.code) == (409, "consultation_exists")
    assert told.errors == {"appointment": ["This appointment already has a consultation."]}
    assert Consultation.objects.get(pk=other.pk).appointment == other.appointment
