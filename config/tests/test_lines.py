"""Names, titles and other texts of one line: visible characters, composed (NFC) and trimmed."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts.models import User
from accounts.services import update_profile
from accounts.tests.helpers import data, error_details
from config.db.text import LineField, validate_line
from config.tests.admin_forms import submit
from config.tests.test_text_lengths import text_columns
from consultations.tests.factories import MEDICATION, make_consultation
from patients.models import Patient

PROFILE = "/api/auth/profile/"

# Each of these passed before.
BAD_NAMES = {
    "zero width space alone": "\N{ZERO WIDTH SPACE}",
    "zero width space within": "Ja\N{ZERO WIDTH SPACE}ne",
    "right-to-left override": "\N{RIGHT-TO-LEFT OVERRIDE}enaJ",
    "isolate": "\N{RIGHT-TO-LEFT ISOLATE}Jane",
    "mark of direction": "Jane\N{LEFT-TO-RIGHT MARK}",
    "line feed": "Jane\nDoe",
    "carriage return": "Jane\r\nBcc: all",
    "line separator": "Jane\N{LINE SEPARATOR}Doe",
    "paragraph separator": "Jane\N{PARAGRAPH SEPARATOR}Doe",
    "next line": "Jane\x85Doe",
    "tabulator": "Jane\tDoe",
    "bell": "Jane\x07",
    "delete": "Jane\x7f",
    "soft hyphen": "Ja\N{SOFT HYPHEN}ne",
    "byte order mark": "Jane\ufeff",
    "tag character": "Jane\U000e0041",
    "word joiner": "Ja\N{WORD JOINER}ne",
    "joiner between Latin letters": "Ja\N{ZERO WIDTH NON-JOINER}ne",
    "joiner at the start": "\N{ZERO WIDTH JOINER}\u0639\u0644\u06cc",
    "two joiners": "\u0639\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH NON-JOINER}\u0644\u06cc",
    "filler that counts as a letter": "\N{HANGUL FILLER}",
    "punctuation alone": "'-.",
    "combining mark alone": "\N{COMBINING ACUTE ACCENT}",
}

GOOD_NAMES = [
    "O", "O'Brien", "D\N{RIGHT SINGLE QUOTATION MARK}Arcy", "Jean-Luc", "de la Cruz", "Smith Jr.",
    "José", "Đặng Thị Ánh", "Þórdís", "Μαρία", "Иван", "محمد", "יוסף", "王小明", "さくら",
    "김", "ณัฐ", "Ọlá", "እናት", "X Æ A-12", "山田 太郎",
    "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",  # Persian, with a zero width non-joiner
    "\u0936\u0930\u094d\u200d\u092e\u093e",  # Hindi, with a zero width joiner
    "\u0dc1\u0dca\u200d\u0dbb\u0dd3",  # Sinhala, with a zero width joiner
    "\u0d28\u0d28\u0d4d\u0d26\u0d15\u0d41\u0d2e\u0d3e\u0d30\u0d4d\u200d",  # Malayalam, at the end
]  # fmt: skip

LINES = {
    "User.first_name",
    "User.last_name",
    "User.address",
    "User.medical_license_number",
    "User.specialization",
    "User.emergency_contact",
    "User.emergency_contact_relation",
    "Prescription.medication_name",
    "Prescription.dosage",
    "Prescription.frequency",
    "Prescription.duration",
    "ConsultationNote.title",
}

# The other columns of one line have rules of their own.
OWN_RULES = {
    "User.username",
    "User.email",
    "User.phone",
    "User.emergency_contact_phone",
    "Appointment.contact_phone",
    "Session.user_agent",
    "IdempotencyKey.key",
}


def test_every_text_of_one_line_is_a_line_or_has_its_own_rule():
    columns = text_columns()

    assert {name for name, (_, field) in columns.items() if isinstance(field, LineField)} == LINES
    assert columns.keys() >= OWN_RULES


@pytest.mark.django_db
@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_name_with_invisible_characters_is_refused(name, api, jane):
    refused = api(jane).patch(PROFILE, {"first_name": name})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["first_name"])
    with pytest.raises(ValidationError) as error:
        update_profile(jane, by=jane, last_name=name)
    assert error.value.error_dict.keys() == {"last_name"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_of_every_script_are_kept(name, api, jane):
    assert data(api(jane).patch(PROFILE, {"last_name": name}))["last_name"] == name


@pytest.mark.parametrize("name", ["0", "7 mg", "\N{ROMAN NUMERAL FOUR}"])
def test_a_digit_is_enough(name):
    validate_line(name)


@pytest.mark.django_db
def test_a_name_is_composed_and_trimmed(api, jane, smith):
    decomposed, composed = (
        "Jose\N{COMBINING ACUTE ACCENT}",
        "Jos\N{LATIN SMALL LETTER E WITH ACUTE}",
    )

    saved = data(api(jane).patch(PROFILE, {"first_name": f" \n{decomposed}\t"}))
    assert saved["first_name"] == composed
    assert User.objects.get(pk=jane.pk).first_name == composed
    update_profile(jane, by=jane, last_name=f" {decomposed} ")
    assert User.objects.get(pk=jane.pk).last_name == composed
    url = reverse("consultation-detail", args=[make_consultation(doctor=smith, patient=jane).pk])
    note = {"note_type": "plan", "content": "Rest", "title": f" {decomposed}"}
    assert data(api(smith).post(f"{url}notes/", note), 201)["title"] == composed


@pytest.mark.django_db
def test_titles_and_medications_are_lines(api, smith, jane):
    url = reverse("consultation-detail", args=[make_consultation(doctor=smith, patient=jane).pk])
    note = {"note_type": "plan", "content": "Rest\nmuch", "title": "Next\nsteps"}
    medication = MEDICATION | {"medication_name": "Rami\N{RIGHT-TO-LEFT OVERRIDE}pril"}

    refused = api(smith).post(f"{url}notes/", note)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["title"])
    refused = api(smith).post(f"{url}prescriptions/", medication)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["medication_name"])
    assert data(api(smith).post(f"{url}notes/", note | {"title": ""}), 201)["title"] == ""


def test_the_admin_refuses_the_same_names(admin_client):
    jane = Patient.objects.earliest("pk")
    page = reverse("admin:patients_patient_change", args=[jane.pk])

    refused = submit(admin_client, page, first_name="\N{ZERO WIDTH SPACE}", last_name="A\tB")
    assert refused.context["adminform"].form.errors.keys() == {"first_name", "last_name"}
    assert (
        submit(admin_client, page, first_name=" Jose\N{COMBINING ACUTE ACCENT} ").status_code == 302
    )
    jane.refresh_from_db()
    assert jane.first_name == "Jos\N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.mark.django_db
def test_an_older_name_can_be_read_and_a_change_names_it(api, jane, smith):
    User.objects.filter(pk=jane.pk).update(last_name="Doe\N{ZERO WIDTH SPACE}")

    assert data(api(jane).get(PROFILE))["last_name"] == "Doe\N{ZERO WIDTH SPACE}"
    assert len(data(api(smith).get("/api/patients/"))["results"]) == 1
    refused = api(jane).patch(PROFILE, {"phone": "+49 30 1"})
    assert error_details(refused)[:2] == (400, "validation_error")
    assert list(refused.json()["errors"]) == ["last_name"]
    assert data(api(jane).patch(PROFILE, {"last_name": "Doe", "phone": "+49 30 1"}))
