"""The OpenAPI document serves those who write clients: names, texts, and exact responses."""

from collections import Counter

from rest_framework.serializers import BaseSerializer

from appointments.lifecycle import MOVES
from config.access_report import iter_endpoints


def test_operations_have_names_titles_and_tags_for_api_users(operations, schema):
    assert schema["openapi"] == "3.1.0"
    assert schema["servers"] == [{"url": "/", "description": "This clinic."}]
    for operation in operations.values():
        assert operation["description"].endswith("."), operation["operationId"]
    assert Counter(one["operationId"] for one in operations.values()).most_common(1)[0][1] == 1
    tags = {}
    for operation in operations.values():
        [tag] = operation["tags"]
        tags.setdefault(tag, set()).add(operation["operationId"])
    assert tags == OPERATIONS


OPERATIONS = {
    "Account": {"register", "login", "refreshTokens", "logout", "getMyProfile", "replaceMyProfile",
                "updateMyProfile", "changePassword", "requestPasswordReset",
                "confirmPasswordReset", "verifyEmail", "resendVerificationEmail"},
    "Sessions": {"listSessions", "endSession", "endAllSessions"},
    "Patients": {"listPatients", "searchPatients", "createPatient", "getPatient", "replacePatient",
                 "updatePatient", "closePatient", "listPatientAccess"},
    "Emergency access": {"listEmergencyAccess", "getEmergencyAccess", "requestEmergencyAccess"},
    "Doctors": {"listDoctors", "getDoctor", "getDoctorAvailability"},
    "Time slots": {"listTimeSlots", "createTimeSlot", "getTimeSlot", "replaceTimeSlot",
                   "updateTimeSlot", "withdrawTimeSlot", "createTimeSlots"},
    "Appointments": {"listAppointments", "bookAppointment", "getAppointment", "replaceAppointment",
                     "updateAppointment", "confirmAppointment", "startAppointment",
                     "completeAppointment", "markNoShow", "cancelAppointment",
                     "rescheduleAppointment", "reopenAppointment", "listAppointmentHistory",
                     "listPatientAppointments"},
    "Overview": {"getStatistics", "listUpcomingAppointments", "listTodaysAppointments"},
    "Consultations": {"listConsultations", "createConsultation", "getConsultation",
                      "replaceConsultation", "updateConsultation", "startConsultation",
                      "completeConsultation", "reopenConsultation", "listPatientConsultations"},
    "Vital signs": {"listVitalSigns", "getVitalSigns", "recordVitalSigns"},
    "Prescriptions": {"listPrescriptions", "getPrescription", "prescribe", "updatePrescription"},
    "Notes": {"listNotes", "getNote", "addNote"},
}  # fmt: skip


def test_no_docstring_is_published(schema):
    classes = {endpoint.view for endpoint in iter_endpoints()} | set(subclasses(BaseSerializer))
    own = [one for one in classes if one.__module__.startswith(APPS)]
    docstrings = {one.__doc__.splitlines()[0] for one in own if one.__doc__}

    published = set(descriptions(schema))

    assert len(docstrings) > 20
    assert {one for one in docstrings if any(one in text for text in published)} == set()


APPS = ("config.", "accounts.", "patients.", "appointments.", "consultations.")


def subclasses(parent):
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


def descriptions(node):
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield node["description"]
        node = node.values()
    if not isinstance(node, str | int | float | None):
        for child in node:
            yield from descriptions(child)


def test_a_response_component_requires_what_is_always_sent(schema):
    shapes = schema["components"]["schemas"]
    optional = {
        name: set(shape["properties"]) - set(shape["required"])
        for name, shape in shapes.items()
        if "properties" in shape and not name.endswith(("Request", "RequestForm", "Errors"))
    }

    assert {name: fields for name, fields in optional.items() if fields} == {
        "Appointment": {"doctor_notes"},
        "Consultation": {"doctor_notes"},
        "ConsultationDetail": {"doctor_notes"},
    } | {name: {"count"} for name in shapes if name.endswith("Page")}


def test_values_from_a_table_are_enums_and_a_query_boolean_is_a_boolean(operations, schema):
    shapes = schema["components"]["schemas"]
    asked = {
        one["name"]: one["schema"] for one in operations["GET", "/api/time-slots/"]["parameters"]
    }
    by_path = {
        one["name"]: one["schema"]
        for one in operations["GET", "/api/consultations/{consultation}/notes/{id}/"]["parameters"]
        if one["in"] == "path"
    }

    assert asked["available"] == {"type": "boolean"}
    assert {name: one["type"] for name, one in by_path.items()} == {
        "consultation": "integer",
        "id": "integer",
    }
    assert shapes["MoveEnum"]["enum"] == list(MOVES)
    assert shapes["Appointment"]["properties"]["allowed"]["items"]["$ref"].endswith("/MoveEnum")
    assert set(shapes["AppointmentHistoryActionEnum"]["enum"]) == {"book", "updated", *MOVES}
    assert shapes["AccessLogActionEnum"]["enum"] == [
        "create",
        "read",
        "update",
        "delete",
        "execute",
    ]
