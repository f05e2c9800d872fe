"""The operations of consultations in the OpenAPI document."""

from config.api.documentation import Operation, Resource

CONSULTATIONS = Resource(
    "Consultations",
    {
        "list": Operation(
            "listConsultations",
            "List consultations",
            "Lists the consultations that the caller sees, newest first.",
        ),
        "create": Operation(
            "createConsultation",
            "Open a consultation",
            "Opens the consultation of an `appointment`, or of a walk-in with `patient` and "
            "`chief_complaint`. An appointment has one consultation.",
        ),
        "retrieve": Operation(
            "getConsultation",
            "Get a consultation",
            "Returns the consultation with its newest vital signs, prescriptions and notes. "
            "`more_parts` has the lists that contain older ones.",
        ),
        "update": Operation(
            "replaceConsultation",
            "Replace the texts of a consultation",
            "An omitted optional field keeps its value. 409 `consultation_closed` once the "
            "consultation is completed.",
        ),
        "partial_update": Operation(
            "updateConsultation",
            "Change the texts of a consultation",
            "Changes the fields that are sent. 409 `consultation_closed` once the consultation is "
            "completed.",
        ),
        "start_consultation": Operation(
            "startConsultation",
            "Start a consultation",
            "Also starts the appointment, unless it has started. Returns the whole consultation.",
        ),
        "reopen": Operation(
            "reopenConsultation",
            "Open a completed consultation again",
            "The consultation and its appointment are in progress again. Its doctor can do this "
            "for some days, administrators always. Returns the whole consultation.",
        ),
        "complete_consultation": Operation(
            "completeConsultation",
            "Complete a consultation",
            "Writes the fields that are sent, and completes the appointment too. Returns the "
            "whole consultation, which takes only notes of type addendum from then on.",
        ),
    },
)

VITAL_SIGNS = Resource(
    "Vital signs",
    {
        "list": Operation(
            "listVitalSigns",
            "List the vital signs of a consultation",
            "Lists the measurements, newest first.",
        ),
        "retrieve": Operation(
            "getVitalSigns", "Get vital signs", "Returns one set of vital signs."
        ),
        "create": Operation(
            "recordVitalSigns",
            "Record vital signs",
            "At least one measurement is required. A wrong entry is followed by a right one.",
        ),
    },
)

PRESCRIPTIONS = Resource(
    "Prescriptions",
    {
        "list": Operation(
            "listPrescriptions",
            "List the prescriptions of a consultation",
            "Lists the prescriptions, newest first.",
        ),
        "retrieve": Operation("getPrescription", "Get a prescription", "Returns one prescription."),
        "create": Operation(
            "prescribe",
            "Prescribe a medication",
            "409 `allergy_conflict` names the patient's allergies that match in "
            "`details.matches`. With an `override_reason` the medication is prescribed all the "
            "same.",
        ),
        "partial_update": Operation(
            "updatePrescription",
            "Stop or resume a prescription",
            "`is_active: false` stops the medication, also after the consultation. Resuming a "
            "prescription checks the allergies again: 409 `allergy_conflict` without an "
            "`override_reason`.",
        ),
    },
)

NOTES = Resource(
    "Notes",
    {
        "list": Operation(
            "listNotes",
            "List the notes of a consultation",
            "Lists the notes, newest first. Patients do not see private notes.",
        ),
        "retrieve": Operation("getNote", "Get a note", "Returns one note."),
        "create": Operation(
            "addNote",
            "Add a note",
            "A completed consultation takes only notes of type addendum.",
        ),
    },
)

PATIENT_CONSULTATIONS = Resource(
    "Consultations",
    {
        "list": Operation(
            "listPatientConsultations",
            "List the consultations of a patient",
            "Lists the patient's consultations that the caller sees, newest first.",
        ),
    },
)
