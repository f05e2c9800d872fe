"""The prepared query of the lists of consultations. See config.db.prepared."""

from config.api.filters import narrow, order_by
from config.db.prepared import PreparedQuery
from config.db.querysets import Viewer
from consultations.filters import ConsultationFilter
from consultations.models import Consultation
from consultations.output import ConsultationRow

CONSULTATION_ORDER = ["-created_at", "-pk"]
CONSULTATION_ORDERING_FIELDS = {"created_at": "created_at"}


def _consultations(key, user_id, now, *arguments):
    rows = Consultation.objects.visible_to(Viewer(user_id, key.role, now))
    rows = narrow(rows, ConsultationFilter, key.filters, arguments)
    return rows.order_by(*order_by(key.ordering, CONSULTATION_ORDERING_FIELDS, CONSULTATION_ORDER))


CONSULTATIONS = PreparedQuery(_consultations, columns=ConsultationRow._fields)
