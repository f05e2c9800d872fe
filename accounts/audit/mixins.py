"""The audit of what the viewsets show and refuse."""

from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.status import HTTP_304_NOT_MODIFIED, HTTP_409_CONFLICT, is_success

from accounts.audit import log as audit
from accounts.audit.log import RecordReference
from accounts.audit.middleware import DENIED_STATUSES


class AuditedMixin:
    """Records for the audit which patients' records a response shows, and which are refused.

    A conflict (409) tells something of the records that the request names: that a patient has
    another appointment at that time, or an allergy. It is audited with these records. A view that
    finds a record otherwise than by `get_object` puts the record into `found`.
    """

    found: tuple[Model, ...] = ()  # the records that the request is about
    body: BaseSerializer | None = None  # the serializer of the request's body

    def get_object(self) -> Model:
        record = super().get_object()
        self.found = (record,)
        return record

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer:
        serializer = super().get_serializer(*args, **kwargs)
        if "data" in kwargs:
            self.body = serializer
        return serializer

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        event = f"{self.basename}.{self.action or 'other'}"
        if response.status_code in DENIED_STATUSES:
            audit.record_denied(event, self.records_tried())
        elif response.status_code == HTTP_409_CONFLICT and self.is_clinical():
            if records := self.records_named():
                audit.record_conflict(event, records)
        elif _is_successful(response) and self.action != "metadata" and self.is_clinical():
            audit.record_read(event, self.records_read(response))
        return response

    def records_read(self, response: Response) -> list:
        """The rows that the response shows. A view without rows names what it is about."""
        return records_in_response(response.data)

    def records_tried(self) -> list[RecordReference]:
        """References to the ids of the address, whether or not such records exist."""
        own = self.queryset.model._meta.model_name
        return [
            reference
            for name, value in self.kwargs.items()
            for reference in audit.reference_to(own if name == "pk" else name, value)
        ]

    def records_named(self) -> list[Model]:
        """The records that the address and the valid body of the request name."""
        values = self.body.validated_data.values() if self.body is not None else ()
        return [*self.found, *(value for value in values if isinstance(value, Model))]

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
