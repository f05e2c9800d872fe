"""A password that staff set opens nothing but the choice of another one."""

import pytest
from django.urls import reverse

from accounts.auth.sessions import open_session
from accounts.models import User
from accounts.tests.factories import PASSWORD, AdminFactory
from accounts.tests.helpers import data, error_details, sign_in, status_and_code
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

OWN = "an-even-better-battery"
CHANGE = "/api/auth/password/change/"
PROFILE = "/api/auth/profile/"
REQUIRED = (403, "password_change_required")


@pytest.fixture
def ruth(api, smith):
    """A patient whom a doctor has created with a password; returns the account."""
    body = {"first_name": "Ruth", "last_name": "Meyer", "username": "ruth", "password": PASSWORD}
    record = data(api(smith).post("/api/patients/", body), 201)
    return User.objects.get(pk=record["id"])


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", "/api/appointments/"),
        ("get", "/api/doctors/"),
        ("get", "/api/auth/sessions/"),
        ("patch", PROFILE),
        ("post", "/api/appointments/"),
    ],
)
def test_everything_else_is_refused_until_the_user_has_chosen_a_password(
    api, ruth, method, address
):
    answer = getattr(api(ruth), method)(address)

    assert status_and_code(answer) == REQUIRED
    assert error_details(answer)[2] == {
        "detail": ["Choose your own password first. The clinic has set the present one."]
    }


def test_the_sign_in_says_so(api, ruth):
    answer = sign_in(api(), "ruth", PASSWORD)

    assert answer.status_code == 200
    assert answer.json()["message"] == "Signed in. Choose your own password now."


def test_a_new_password_opens_the_account(api, ruth):
    client = api(ruth)
    assert client.get(PROFILE).status_code == 200

    data(client.post(CHANGE, {"old_password": PASSWORD, "new_password": OWN}))

    ruth.refresh_from_db()
    assert api(ruth).get("/api/appointments/").status_code == 200
    assert sign_in(api(), "ruth", OWN).json()["message"] == "Signed in."


def test_the_password_of_the_clinic_cannot_be_chosen_again(api, ruth, client):
    admin = AdminFactory(must_change_password=True)
    client.force_login(admin)
    body = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}

    refused = api(ruth).post(CHANGE, {"old_password": PASSWORD, "new_password": PASSWORD})
    page = client.post(reverse("admin:password_change"), body)

    sentence = "The clinic has set this password. Choose another one."
    assert error_details(refused)[2] == {"new_password": [sentence]}
    assert page.context["form"].errors == {"new_password1": [sentence]}
    assert User.objects.filter(must_change_password=True).count() == 2


def test_a_password_that_an_admin_sets_is_for_one_sign_in(api, admin_client, jane):
    page = reverse("admin:patients_patient_changelist") + f"{jane.pk}/set_password/"

    admin_client.post(page, {"password": OWN, "password_again": OWN})

    jane.refresh_from_db()
    assert jane.must_change_password
    assert status_and_code(api(jane).get("/api/appointments/")) == REQUIRED


def test_an_admin_with_such_a_password_is_led_to_the_choice(client):
    admin = AdminFactory(must_change_password=True)
    client.force_login(admin)
    choose = reverse("admin:password_change")

    led = client.get(reverse("admin:accounts_user_changelist"))
    form = client.get(choose)
    body = {"old_password": PASSWORD, "new_password1": OWN, "new_password2": OWN}
    client.post(choose, body)

    assert (led.status_code, led["Location"]) == (302, choose)
    assert form.status_code == 200
    admin.refresh_from_db()
    assert not admin.must_change_password
    assert client.get(reverse("admin:accounts_user_changelist")).status_code == 200


def test_an_own_registration_has_an_own_password(api):
    patient = PatientFactory()

    assert not patient.must_change_password
    assert open_session(patient)
    assert api(patient).get("/api/appointments/").status_code == 200
