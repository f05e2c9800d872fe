"""The operations of appointments in the OpenAPI document."""

from config.api.documentation import Operation, Resource

MOVE = "Returns the whole appointment. 409 `invalid_transition` names the moves that are allowed. "

NOT_BEFORE = "409 `too_early` before the clinic's day of the visit."

APPOINTMENTS = Resource(
    "Appointments",
    {
        "list": Operation(
            "listAppointments",
            "List appointments",
            "Patients and doctors see their own appointments, administrators all. The latest "
            "start comes first.",
        ),
        "create": Operation(
            "bookAppointment",
            "Book an appointment",
            "Books a free time slot. Patients book for themselves; doctors and administrators "
            "name the `patient`. 409 `slot_taken` proposes other slots in `details.alternatives`. "
            "Send an `Idempotency-Key`, so that a repeated request does not book twice.",
        ),
        "retrieve": Operation(
            "getAppointment",
            "Get an appointment",
            "`allowed` lists the moves that the caller can make now.",
        ),
        "update": Operation(
            "replaceAppointment",
            "Replace the details of an appointment",
            "Changes the visit details while the appointment is scheduled or confirmed. Doctors "
            "and administrators can also send `doctor_notes`, and a `status`, which makes the "
            "move that leads there.",
        ),
        "partial_update": Operation(
            "updateAppointment",
            "Change the details of an appointment",
            "Changes the fields that are sent. The visit details can change while the appointment "
            "is scheduled or confirmed. Doctors and administrators can also send `doctor_notes`, "
            "and a `status`, which makes the move that leads there.",
        ),
        "confirm": Operation("confirmAppointment", "Confirm an appointment", MOVE.strip()),
        "start": Operation("startAppointment", "Start the visit", MOVE + NOT_BEFORE),
        "complete": Operation("completeAppointment", "Complete an appointment", MOVE + NOT_BEFORE),
        "no_show": Operation(
            "markNoShow",
            "Mark an appointment as no-show",
            MOVE + "Possible after the start of the appointment.",
        ),
        "cancel": Operation(
            "cancelAppointment",
            "Cancel an appointment",
            MOVE + "The time slot is free at once. Patients can cancel before the start.",
        ),
        "reschedule": Operation(
            "rescheduleAppointment",
            "Reschedule an appointment",
            MOVE + "`time_slot` is a free slot of the same doctor in the future. The appointment "
            "is scheduled again.",
        ),
        "reopen": Operation(
            "reopenAppointment",
            "Take back the last outcome of an appointment",
            MOVE + "Takes back `complete`, `no_show`, `cancel` or `start`: the appointment has the "
            "status before it again. Its doctor can do this for some days, administrators always. "
            "A cancelled appointment comes back if its time is still free.",
        ),
        "history": Operation(
            "listAppointmentHistory",
            "List the changes of an appointment",
            "Lists every step and change, oldest first. `changes` has the names of fields, never "
            "their values.",
        ),
    },
)

PATIENT_APPOINTMENTS = Resource(
    "Appointments",
    {
        "list": Operation(
            "listPatientAppointments",
            "List the appointments of a patient",
            "Lists the patient's appointments that the caller sees, the latest start first.",
        ),
    },
)

TIME_SLOTS = Resource(
    "Time slots",
    {
        "list": Operation(
            "listTimeSlots",
            "List time slots",
            "Patients see the slots that they can book, doctors their own, administrators all.",
        ),
        "create": Operation(
            "createTimeSlot",
            "Open a time slot",
            "Times are those of the clinic's time zone. Administrators name the `doctor`.",
        ),
        "retrieve": Operation(
            "getTimeSlot",
            "Get a time slot",
            "Returns the slot, whether it is free or not.",
        ),
        "update": Operation(
            "replaceTimeSlot",
            "Replace a time slot",
            "Moves the slot to another time. 409 `slot_in_use` while an appointment uses it.",
        ),
        "partial_update": Operation(
            "updateTimeSlot",
            "Change a time slot",
            "Moves the slot to another time. 409 `slot_in_use` while an appointment uses it.",
        ),
        "destroy": Operation(
            "withdrawTimeSlot",
            "Withdraw a time slot",
            "Nobody can book the slot any more. 409 `slot_in_use` while an appointment uses it.",
        ),
        "create_bulk_slots": Operation(
            "createTimeSlots",
            "Open many time slots",
            "Opens the slots of one day (`date`), or of the chosen weekdays from `date_from` to "
            "`date_to`. Slots that cannot be opened are listed in `skipped` with the reason.",
        ),
    },
)

DOCTORS = Resource(
    "Doctors",
    {
        "list": Operation("listDoctors", "List doctors", "Lists the doctors who can be booked."),
        "retrieve": Operation(
            "getDoctor", "Get a doctor", "`next_available` is the start of the next free slot."
        ),
    },
)

AVAILABILITY = Resource(
    "Doctors",
    {
        "list": Operation(
            "getDoctorAvailability",
            "Get the free slots of a doctor",
            "Returns the free slots of one day or of at most 31 days; of today by default.",
        ),
    },
)

STATISTICS = Resource(
    "Overview",
    {
        "list": Operation(
            "getStatistics",
            "Get statistics",
            "Counts the appointments that the caller sees. `date_after` and `date_before` narrow "
            "all numbers but those of today, of the upcoming appointments and of the months.",
        ),
    },
)

UPCOMING = Resource(
    "Overview",
    {
        "list": Operation(
            "listUpcomingAppointments",
            "List upcoming appointments",
            "Lists the scheduled and confirmed appointments ahead, soonest first.",
        ),
    },
)

TODAY = Resource(
    "Overview",
    {
        "list": Operation(
            "listTodaysAppointments",
            "List the appointments of today",
            "Lists the appointments of the clinic's day without cancelled ones, soonest first.",
        ),
    },
)
