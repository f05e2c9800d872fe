"""The operations of patients in the OpenAPI document."""

from config.api.documentation import Operation, Resource

PATIENTS = Resource(
    "Patients",
    {
        "list": Operation(
            "listPatients",
            "List patients",
            "Lists the patients whom the caller sees, by last name. Names in addresses reach log "
            "files: `searchPatients` takes them in the body.",
        ),
        "search": Operation(
            "searchPatients",
            "Search patients",
            "Lists patients like `listPatients`. The filters are in the body, and only the page "
            "is in the address.",
        ),
        "create": Operation(
            "createPatient",
            "Register a patient",
            "Creates a patient's record for the clinic. With an e-mail address and without a "
            "password, an e-mail invites the patient to choose a password. "
            "409 `possible_duplicate` names the patients of the same name and date of birth in "
            "`details.matches`; send `confirm_new` if this is another person.",
        ),
        "retrieve": Operation(
            "getPatient",
            "Get a patient",
            "Returns the whole record. Every access is written to the access log of the patient. "
            "Send the `ETag` of the last response as `If-None-Match` to get 304 while nothing has "
            "changed.",
        ),
        "update": Operation(
            "replacePatient",
            "Replace a patient",
            "Requires the fields that creation requires. An omitted optional field keeps its "
            "value.",
        ),
        "partial_update": Operation(
            "updatePatient",
            "Change a patient",
            "Changes the fields that are sent. Patients who change their own e-mail address also "
            "send `current_password`.",
        ),
        "destroy": Operation(
            "closePatient",
            "Close a patient's record",
            "Takes the patient out of all lists and cancels their upcoming appointments. No "
            "clinical record is deleted; staff can open the record again.",
        ),
        "access_log": Operation(
            "listPatientAccess",
            "List the accesses to a patient's record",
            "Lists who read or changed the record, latest first.",
        ),
    },
)

EMERGENCY_ACCESS = Resource(
    "Emergency access",
    {
        "list": Operation(
            "listEmergencyAccess",
            "List the emergency accesses to a record",
            "Lists the emergency accesses to the patient's record, latest first.",
        ),
        "retrieve": Operation(
            "getEmergencyAccess",
            "Get an emergency access",
            "Returns one emergency access with its reason.",
        ),
        "create": Operation(
            "requestEmergencyAccess",
            "Take emergency access to a record",
            "Lets a doctor read the record of a patient whom they do not treat, for an hour. The "
            "patient and the administrators are told.",
        ),
    },
)
