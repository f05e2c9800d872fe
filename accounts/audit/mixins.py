"""Audit of what a viewset shows."""

from django.db.models import Model
from rest_framework.status import HTTP_304_NOT_MODIFIED, is_success

from accounts.audit import log as audit
from accounts.audit.middleware import DENIED_STATUSES


class AuditedMixin:
    """Says what its doors have shown of patients, and whom they have turned away."""

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        event = f"{self.basename}.{self.action or 'other'}"
        if response.status_code in DENIED_STATUSES:
            audit.record_denied(event)
        elif _is_successful(response) and self.action != "metadata" and self.is_clinical():
            audit.record_read(event, self.records_read(response))
        return response

    def records_read(self, response):
        """What the answer was made of, or, where it says nothing of its own, what it was about."""
        return records_in_response(response.data)

    def is_clinical(self):
        """Whether the records behind these doors are about patients."""
        return getattr(self.queryset.model, "subject_id", None) is not None


def _is_successful(response):
    return is_success(response.status_code) or response.status_code == HTTP_304_NOT_MODIFIED


def records_in_response(data):
    """The rows of models that an answer was made of."""
    rows = data["results"] if isinstance(data, dict) and "results" in data else data
    shown = getattr(getattr(rows, "serializer", None), "instance", None)
    records = [shown] if isinstance(shown, Model) else shown
    return records if isinstance(records, list) else []
