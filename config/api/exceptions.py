"""The only translator of errors: whatever is raised leaves as {status, code, errors, message}.

Services, models and the admin raise Django's own exceptions; a rule's refusal is a
`ValidationError` with a code of `CODES`. A code this table does not know is plain bad input.
"""

import logging
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings

from config.context import current_request_id
from config.db import constraint_errors, outages

logger = logging.getLogger(__name__)


class Code(NamedTuple):
    status: int
    meaning: str
    details: str = ""  # which of a refusal's `params` travels in `details`


# The published list (docs/errors.md is checked against it).
ERROR_CODES = {
    "validation_error": Code(400, "A field of the request is missing or wrong."),
    "unknown_field": Code(400, "The body names a field that this operation does not know."),
    "unknown_parameter": Code(400, "The query string names a parameter this address lacks."),
    "parse_error": Code(400, "The body could not be read."),
    "slot_in_past": Code(400, "The time slot lies in the past."),
    "booking_too_soon": Code(400, "The patient's notice before this time is too short."),
    "booking_too_far": Code(400, "This time lies beyond the days open to patients."),
    "not_authenticated": Code(401, "No credentials were sent."),
    "token_invalid": Code(401, "The token is invalid, expired or revoked."),
    "invalid_credentials": Code(401, "Unknown account or wrong password."),
    "permission_denied": Code(403, "This role may not do this."),
    "license_not_verified": Code(403, "The doctor's medical licence is not verified yet."),
    "not_found": Code(404, "No such record, or not one of yours."),
    "method_not_allowed": Code(405, "This address does not answer this method."),
    "not_acceptable": Code(406, "No representation fits the Accept header."),
    "slot_taken": Code(409, "Another appointment holds the time slot.", "alternatives"),
    "slot_overlap": Code(409, "The doctor has another slot at that time."),
    "slot_in_use": Code(409, "A live appointment holds the time slot."),
    "patient_overlap": Code(409, "The patient has another appointment at that time."),
    "invalid_transition": Code(409, "The record's state does not allow this.", "allowed"),
    "too_many_bookings": Code(409, "The patient has as many coming appointments as allowed."),
    "cancellation_too_late": Code(409, "It is too late for the patient to cancel."),
    "reschedule_too_late": Code(409, "It is too late for the patient to reschedule."),
    "consultation_exists": Code(409, "The appointment has its consultation already."),
    "consultation_closed": Code(409, "A completed consultation takes only addenda."),
    "allergy_conflict": Code(409, "The medication stands among the allergies.", "matches"),
    "request_in_progress": Code(409, "The first request with this key has not finished."),
    "refresh_superseded": Code(409, "The refresh token was just rotated by another request."),
    "stale_version": Code(412, "The record has not, or has no more, a version named in If-Match."),
    "too_large": Code(413, "The body is larger than the limit."),
    "unsupported_media_type": Code(415, "Send application/json."),
    "idempotency_key_reused": Code(422, "The Idempotency-Key came with another request."),
    "throttled": Code(429, "Too many requests; Retry-After says when to come back."),
    "server_error": Code(500, "Our mistake; quote the request_id."),
    "unavailable": Code(
        503, "The database does not answer in time, or a disk is full; try again later."
    ),
}

# DRF's words for what the table calls otherwise.
ALIASES = {"authentication_failed": "token_invalid", "token_not_valid": "token_invalid"}

RETRY_SECONDS = 5


class Problem(NamedTuple):
    """What an error says: its code, its sentences by field, and what else travels along."""

    code: str
    errors: dict
    details: dict[str, Any] | None = None
    headers: dict[str, str] | None = None

    @property
    def status(self):
        return ERROR_CODES[self.code].status

    @property
    def body(self):
        body = {
            "status": "error",
            "code": self.code,
            "errors": self.errors,
            "message": first_sentence(self.errors),
        }
        if self.details is not None:
            body["details"] = self.details
        return {**body, "request_id": current_request_id()}


def exception_handler(error, context):
    """DRF's door (EXCEPTION_HANDLER): an answer for every error, also for those of ours."""
    problem = problem_from(error)
    if problem.code == "server_error":
        log_server_error(context["request"]._request, error, type(context["view"]).__name__)
    elif problem.code == "unavailable":
        outages.log(error)
    return Response(problem.body, status=problem.status, headers=problem.headers)


def log_server_error(request, error, where):
    """Log a mistake of ours, and tell whoever listens."""
    logger.error("Unhandled error in %s", where, exc_info=error)
    got_request_exception.send(sender=None, request=request)


def problem_from(error):
    """The Problem an exception stands for: the first row of TRANSLATIONS that fits."""
    if isinstance(error, IntegrityError):
        error = constraint_errors.validation_error_for(error) or error
    if outages.is_outage(error):
        sentence = outages.user_message(error)
        return problem_without_fields(
            "unavailable", sentence, **{"Retry-After": str(RETRY_SECONDS)}
        )
    for kinds, translate in DRF_CODE_ALIASES:
        if isinstance(error, kinds):
            return translate(error)
    return problem_without_fields("server_error", "Something went wrong on our side.")


def _from_django_validation(error):
    """A rule's refusal: Django's ValidationError, by field where it names fields."""
    if hasattr(error, "error_dict"):
        by_field = error.error_dict
    else:
        by_field = {NON_FIELD_ERRORS: error.error_list}
    everything = [one for errors in by_field.values() for one in errors]
    known = next((one for one in everything if one.code in ERROR_CODES), None)
    code = known.code if known else "validation_error"
    if code == "throttled":
        return problem_without_fields(
            code, known.message, **{"Retry-After": str(known.params["wait"])}
        )
    return Problem(
        code,
        {_name(field): _messages(errors) for field, errors in by_field.items()},
        _details_of(known, ERROR_CODES[code].details),
        {"Retry-After": str(RETRY_SECONDS)} if code == "request_in_progress" else None,
    )


def _details_of(error, name):
    if not name:
        return None
    value = (error.params or {}).get(name, [])
    return {name: value() if callable(value) else value}


def _messages(errors):
    return [message for error in errors for message in error.messages]


def _name(field):
    return api_settings.NON_FIELD_ERRORS_KEY if field == NON_FIELD_ERRORS else field


def _from_drf_validation(error):
    """What a serializer refuses; nested input keeps its nesting."""
    detail = error.detail
    by_field = detail if isinstance(detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: detail}
    return Problem(_published_code(error.get_codes()), by_field)


def _published_code(codes):
    """The first code of the table found in a serializer's (nested) codes."""
    for leaf in _leaves(codes):
        if leaf in ERROR_CODES:
            return leaf
    return "validation_error"


def _leaves(tree):
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list):
        return [tree]
    return [leaf for branch in tree for leaf in _leaves(branch)]


def _from_api_exception(error):
    codes = error.get_codes()
    code = codes.get("code", "") if isinstance(codes, dict) else codes
    code = ALIASES.get(code, code)
    if isinstance(error, exceptions.AuthenticationFailed) and code != "invalid_credentials":
        code = "token_invalid"
    if code not in ERROR_CODES:
        fallback = {401: "token_invalid", 403: "permission_denied", 404: "not_found"}
        code = fallback.get(error.status_code, "server_error")
    headers = {}
    if ERROR_CODES[code].status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(ceil(wait))
    detail = error.detail["detail"] if isinstance(error.detail, dict) else error.detail
    return Problem(code, {"detail": [str(detail)]}, headers=headers)


def problem_without_fields(code, sentence, **headers):
    """One sentence that belongs to no field."""
    return Problem(code, {"detail": [sentence]}, headers=headers)


def _fixed(code, sentence):
    """A translation that looks at nothing but the kind of error."""
    return lambda error: problem_without_fields(code, sentence)


DRF_CODE_ALIASES = [
    (ValidationError, _from_django_validation),
    (exceptions.ValidationError, _from_drf_validation),
    (exceptions.APIException, _from_api_exception),
    ((Http404, ObjectDoesNotExist), _fixed("not_found", "Not found.")),
    (PermissionDenied, _fixed("permission_denied", exceptions.PermissionDenied.default_detail)),
    (RequestDataTooBig, _fixed("too_large", "The request is larger than the limit.")),
    (
        (SuspiciousOperation, BadRequest, MultiPartParserError, UnreadablePostError),
        _fixed("parse_error", "The request could not be read."),
    ),
    (DataError, _fixed("validation_error", "A value is out of range.")),
]


def first_sentence(errors):
    """The first sentence for people in (nested) errors."""
    leaves = _leaves(errors)
    return str(leaves[0]) if leaves else ""
