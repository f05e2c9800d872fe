"""The audit of what the viewsets show."""

from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_304_NOT_MODIFIED, is_success

from accounts.audit import log as audit
from accounts.audit.middleware import DENIED_STATUSES


class AuditedMixin:
    """Records for the audit which patients' records a response shows, and which are refused."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        event = f"{self.basename}.{self.action or 'other'}"
        if response.status_code in DENIED_STATUSES:
            audit.record_denied(event)
        elif _is_successful(response) and self.action != "metadata" and self.is_clinical():
            audit.record_read(event, self.records_read(response))
        return response

    def records_read(self, response: Response) -> list:
        """The rows that the response shows. A view without rows names what it is about."""
        return records_in_response(response.data)

    def is_clinical(self) -> bool:
        """Whether the records of this viewset are about patients."""
        return getattr(self.queryset.model, "subject_id", None) is not None


def _is_successful(response: Response) -> bool:
    return is_success(response.status_code) or response.status_code == HTTP_304_NOT_MODIFIED


def records_in_response(data: Any) -> list[Model]:
    """The rows of models from which the data of a response were serialized."""
    rows = data["results"] if isinstance(data, dict) and "results" in data else data
    shown = getattr(getattr(rows, "serializer", None), "instance", None)
    records = [shown] if isinstance(shown, Model) else shown
    return records if isinstance(records, list) else []
