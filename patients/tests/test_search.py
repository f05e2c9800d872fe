"""People are found and sorted, however their names are written."""

import unicodedata
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import DoctorFactory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import data, ids
from patients.tests.factories import PatientFactory

PATIENTS = "/api/patients/"

# Queries, and the one person of PEOPLE whom each finds.
SPELLINGS = [
    *((query, "belanger") for query in [
        "Bélanger", "Belanger", "BELANGER", "belang", "Amélie", "amelie belanger",
        "Belanger, Amelie", "Belanger,Amelie", unicodedata.normalize("NFD", "Bélanger"),
        unicodedata.normalize("NFC", "Bélanger"), '"Amelie Belanger"', "  belanger  ",
    ]),
    *((query, "obrien") for query in [
        "O'Brien", "O\u2019Brien", "o\u2019brien", "OBrien", "o brien", "O`Brien", "O\u02bcBrien",
        "Sean O'Brien", "sean obrien",
    ]),
    *((query, "ilker") for query in [
        "İlker", "ilker", "ILKER", "Ilker Yilmaz", "y\u0131lmaz", "YILMAZ",
    ]),
    *((query, "grossmann") for query in ["Großmann", "grossmann", "GROSSMANN", "GROßMANN"]),
    *((query, "muller") for query in [
        "Müller", "muller", "MÜLLER", "Müller-Lüdenscheidt", "muller ludenscheidt", "ludenscheidt",
        unicodedata.normalize("NFD", "müller"),
    ]),
    *((query, "zoya") for query in ["Зоя", "зоя", "ЗОЯ", "zoya", "Зоя Иванова", "ivanova zoya"]),
    *((query, "devries") for query in ["de Vries", "De Vries", "devries", "vries"]),
    *((query, "conroy") for query in [
        "Conroy, Blair", "blair conroy", "5552228465", "555-222-8465", "(555) 222-8465",
        "555.222.8465", "1975-10-26", "26.10.1975", "10/26/1975", "26/10/1975", "conroy 1975-10-26",
        "blair@example.org",
    ]),
    *((query, "phone") for query in [
        "+49301234567", "+49 30 1234567", "49301234567", "030/1234567",
    ]),
    *((query, "suharto") for query in ["Suharto", "suharto", "6.1.1921", "06.01.1921"]),
]  # fmt: skip


@pytest.fixture
def people(db):
    def person(first_name, last_name, **fields):
        return PatientFactory(first_name=first_name, last_name=last_name, **fields)

    return {
        "belanger": person("Am\u00e9lie", unicodedata.normalize("NFC", "Bélanger")),
        "obrien": person("Sean", "O'Brien"),
        "ilker": person("İlker", "Y\u0131lmaz"),
        "grossmann": person("Jan", "Großmann"),
        "muller": person("Eva", "Müller-Lüdenscheidt"),
        "zoya": person("Зоя", "Иванова"),
        "devries": person("Anna", "de Vries"),
        "conroy": person(
            "Blair", "Conroy", phone="(555) 222-8465", date_of_birth=date(1975, 10, 26),
            email="blair@example.org",
        ),
        "phone": person("Tess", "Ting", phone="+49 30 1234567"),
        "suharto": person("", "Suharto", date_of_birth=date(1921, 1, 6)),
        "other": person("Karl", "Quux", phone="111", date_of_birth=date(2001, 2, 3)),
    }  # fmt: skip


@pytest.mark.parametrize(("query", "name"), SPELLINGS)
def test_every_spelling_finds_the_person_and_nobody_else(api, smith, people, query, name):
    assert ids(api(smith).get(PATIENTS, {"search": query})) == [people[name].pk]


def test_there_are_at_least_sixty_spellings():
    assert len(SPELLINGS) >= 60


@pytest.mark.parametrize("query", ["Großmann", "зоя", "10/26/1975", "conroy blair", "5552228465"])
def test_the_desk_finds_the_same_people(admin_client, people, query):
    expected = next(people[name] for given, name in [*SPELLINGS, ("conroy blair", "conroy")]
                    if given == query)  # fmt: skip

    listed = admin_client.get(reverse("admin:patients_patient_changelist"), {"q": query})
    offered = admin_client.get(
        reverse("admin:autocomplete"),
        {
            "term": query,
            "app_label": "appointments",
            "model_name": "appointment",
            "field_name": "patient",
        },
    )

    assert list(listed.context["cl"].result_list) == [expected]
    assert [row["text"] for row in offered.json()["results"]] == [str(expected)]


def test_people_of_one_name_are_told_apart(api, smith, db):
    twins = [
        PatientFactory(first_name="Pat", last_name="Lee", date_of_birth=date(1980, 1, day))
        for day in (1, 2)
    ]

    rows = data(api(smith).get(PATIENTS, {"search": "pat lee"}))["results"]

    assert [row["display"] for row in rows] == [
        f"Pat Lee, born Jan. 1, 1980, no. {twins[0].pk}",
        f"Pat Lee, born Jan. 2, 1980, no. {twins[1].pk}",
    ]


def test_names_are_sorted_where_people_look_for_them(api, smith, db):
    for last_name in ("Zander", "zola", "de Vries", "Ängström", "Dexter", "Angerer", "Dent"):
        PatientFactory(first_name="Kim", last_name=last_name)
    PatientFactory(first_name="Mononym", last_name="")

    rows = data(api(smith).get(PATIENTS, {"search": "kim", "page_size": 100}))["results"]
    everybody = data(api(smith).get(PATIENTS, {"page_size": 100}))["results"]

    assert [row["last_name"] for row in rows] == [
        "Angerer", "Ängström", "Dent", "de Vries", "Dexter", "Zander", "zola",
    ]  # fmt: skip
    assert [row["last_name"] or row["first_name"] for row in everybody][4:6] == [
        "Dexter", "Mononym",
    ]  # fmt: skip


def test_a_patient_does_not_find_doctors_by_what_the_list_does_not_show(api, jane, wednesday):
    doctor = DoctorFactory(
        first_name="Gregory", last_name="House", phone="5550001", date_of_birth=date(1959, 6, 11)
    )
    make_appointment(doctor=doctor, patient=jane)
    client = api(jane)

    for address in ("/api/doctors/", "/api/appointments/"):
        assert len(ids(client.get(address, {"search": "house"}))) == 1
        for query in ("5550001", "1959-06-11", "11.06.1959", doctor.email):
            assert ids(client.get(address, {"search": query})) == []


def test_a_changed_name_is_found_and_the_old_one_is_not(api, smith, people):
    client = api(smith)
    data(client.patch(f"{PATIENTS}{people['conroy'].pk}/", {"last_name": "Smith-Jones"}))

    assert ids(client.get(PATIENTS, {"search": "smith jones"})) == [people["conroy"].pk]
    assert ids(client.get(PATIENTS, {"search": "conroy 5552228465"})) == []


def test_saving_one_field_keeps_the_search_text_current(people):
    person = people["conroy"]
    person.phone = "999"

    person.save(update_fields=["phone"])

    assert "999" in User.objects.get(pk=person.pk).search_text.split()


def test_prune_fills_the_search_text_of_rows_of_a_previous_release(api, smith, people):
    row = User.objects.filter(pk=people["zoya"].pk)
    row.update(search_text="", sort_last_name="", sort_first_name="")
    version = row.get().version
    assert ids(api(smith).get(PATIENTS, {"search": "зоя"})) == []

    call_command("prune", stdout=StringIO())

    assert ids(api(smith).get(PATIENTS, {"search": "зоя"})) == [people["zoya"].pk]
    assert row.get().version == version


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs trigrams")
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Conroi", "conroy"),
        ("Blair Conroi", "conroy"),
        ("Blaire Conroy", "conroy"),
        ("Belangar", "belanger"),
        ("Amelie Bellanger", "belanger"),
        ("Grosman", "grossmann"),
        ("Sean Obrian", "obrien"),
    ],
)
def test_a_small_misspelling_finds_the_person(api, smith, admin_client, people, query, name):
    assert ids(api(smith).get(PATIENTS, {"search": query}))[0] == people[name].pk
    listed = admin_client.get(reverse("admin:patients_patient_changelist"), {"q": query})
    assert listed.context["cl"].result_list[0] == people[name]


def test_a_number_is_not_corrected(api, smith, people):
    assert ids(api(smith).get(PATIENTS, {"search": "5552228466"})) == []
