"""The sidebar of the staff admin (settings.UNFOLD)."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from config.clinical_records import Section, clinical_records

# (title, icon, view) of the lists that are no clinical records.
OTHER_LISTS = {
    Section.CLINIC: [
        (_("Time slots"), "schedule", "appointments_timeslot_changelist"),
    ],
    Section.PEOPLE: [
        (_("Doctors"), "medical_services", "accounts_doctor_changelist"),
        (_("All accounts"), "group", "accounts_user_changelist"),
        (_("Sign-in sessions"), "devices", "accounts_session_changelist"),
        (_("Failed sign-ins"), "lock", "accounts_logincounter_changelist"),
        (_("Letters"), "mail", "accounts_outgoingmessage_changelist"),
    ],
    Section.AUDIT: [
        (_("Audit log"), "policy", "accounts_auditevent_changelist"),
    ],
}


def sidebar(request):
    """The groups of links: the overview, then each section with its clinical records first."""
    overview = {"title": "", "items": [_link(_("Overview"), "dashboard", "index")]}
    return [overview, *map(_group, Section)]


def _group(section):
    records = [
        (
            record.title,
            record.icon,
            f"{record.model._meta.label_lower.replace('.', '_')}_changelist",
        )
        for record in clinical_records()
        if record.section == section
    ]
    lists = [*records, *OTHER_LISTS.get(section, [])]
    return {"title": section.label, "items": [_link(*one) for one in lists]}


def _link(title, icon, view):
    return {"title": title, "icon": icon, "link": reverse(f"admin:{view}")}
