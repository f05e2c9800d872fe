"""DRF's exception handler: converts each exception to {status, code, errors, message}.

Services and models raise Django's exceptions. A business rule raises a `ValidationError` with a
code of ERROR_CODES (see config.errors). A `ValidationError` with any other code becomes
"validation_error".
"""

import logging
from collections.abc import Callable
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
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings

from config.api.field_labels import sentence_about
from config.context import current_request_id
from config.db import constraint_errors, outages

logger = logging.getLogger(__name__)


class ErrorCode(NamedTuple):
    status: int
    meaning: str | Promise
    details: str = ""  # the param of the ValidationError that is sent in `details`


# The published list; a test compares docs/errors.md with it.
ERROR_CODES = {
    "validation_error": ErrorCode(400, _("A field of the request is missing or wrong.")),
    "unknown_field": ErrorCode(400, _("The body names a field that this operation does not know.")),
    "unknown_parameter": ErrorCode(
        400, _("The query string contains a parameter that this address does not know.")
    ),
    "page_too_large": ErrorCode(
        400, _("The rows of the page are larger than a response may be."), "page_size"
    ),
    "parse_error": ErrorCode(400, _("The body could not be read.")),
    "slot_in_past": ErrorCode(400, _("The time slot lies in the past.")),
    "booking_too_soon": ErrorCode(400, _("Patients must book this slot earlier.")),
    "booking_too_far": ErrorCode(400, _("This slot is not open to patients yet.")),
    "not_authenticated": ErrorCode(401, _("No credentials were sent.")),
    "token_invalid": ErrorCode(401, _("The token is invalid, expired or revoked.")),
    "invalid_credentials": ErrorCode(401, _("The account is unknown or the password is wrong.")),
    "permission_denied": ErrorCode(403, _("The caller's role may not do this.")),
    "license_not_verified": ErrorCode(403, _("The doctor's medical licence is not verified yet.")),
    "password_change_required": ErrorCode(
        403, _("Staff have set the password; the user must change it first.")
    ),
    "not_found": ErrorCode(404, _("The record does not exist, or the caller may not see it.")),
    "method_not_allowed": ErrorCode(405, _("This address does not support this method.")),
    "not_acceptable": ErrorCode(406, _("No representation matches the Accept header.")),
    "slot_taken": ErrorCode(409, _("Another appointment uses the time slot."), "alternatives"),
    "slot_overlap": ErrorCode(409, _("The doctor has another slot at that time.")),
    "slot_in_use": ErrorCode(409, _("An appointment uses the time slot.")),
    "patient_overlap": ErrorCode(409, _("The patient has another appointment at that time.")),
    "invalid_transition": ErrorCode(409, _("The record's state does not allow this."), "allowed"),
    "too_early": ErrorCode(409, _("The day of the visit has not come yet.")),
    "too_many_bookings": ErrorCode(
        409, _("The patient has reached the limit of upcoming appointments.")
    ),
    "cancellation_too_late": ErrorCode(409, _("It is too late for the patient to cancel.")),
    "reschedule_too_late": ErrorCode(409, _("It is too late for the patient to reschedule.")),
    "too_many_slots": ErrorCode(
        409, _("The doctor must be verified before more time slots can be opened.")
    ),
    "emergency_access_live": ErrorCode(409, _("The doctor has emergency access already.")),
    "last_admin": ErrorCode(409, _("The last active administrator keeps account and role.")),
    "record_anonymised": ErrorCode(
        409, _("The patient's record is anonymised and cannot be changed.")
    ),
    "consultation_exists": ErrorCode(
        409, _("The appointment has a consultation already."), "consultation"
    ),
    "consultation_closed": ErrorCode(409, _("A completed consultation accepts only addenda.")),
    "allergy_conflict": ErrorCode(409, _("The patient is allergic to the medication."), "matches"),
    "possible_duplicate": ErrorCode(
        409, _("A patient with this name and date of birth is registered already."), "matches"
    ),
    "request_in_progress": ErrorCode(409, _("The first request with this key has not finished.")),
    "refresh_superseded": ErrorCode(
        409, _("Another request has just replaced this refresh token.")
    ),
    "stale_version": ErrorCode(412, _("The record's version is not one of those in If-Match.")),
    "too_large": ErrorCode(413, _("The body is larger than the limit.")),
    "unsupported_media_type": ErrorCode(415, _("Send application/json.")),
    "idempotency_key_reused": ErrorCode(
        422, _("The Idempotency-Key was used for another request.")
    ),
    "throttled": ErrorCode(429, _("Too many requests; Retry-After tells when to try again.")),
    "server_error": ErrorCode(500, _("An internal error occurred; quote the request_id.")),
    "unavailable": ErrorCode(
        503, _("The database does not answer, or a disk is full; try again later.")
    ),
}

# DRF's codes that have another name in ERROR_CODES.
DRF_CODE_ALIASES = {"authentication_failed": "token_invalid", "token_not_valid": "token_invalid"}

# The codes whose sentences speak of "this field" and need its name; a rule's sentence is complete.
CODES_ABOUT_FIELDS = {"validation_error", "unknown_field", "unknown_parameter"}
WHOLE_REQUEST = {"detail", api_settings.NON_FIELD_ERRORS_KEY, None}

RETRY_SECONDS = 5


class Problem(NamedTuple):
    """The content of an error response: code, sentences by field, details and headers."""

    code: str
    errors: dict
    details: dict[str, Any] | None = None
    headers: dict[str, str] | None = None

    @property
    def status(self):
        return ERROR_CODES[self.code].status

    @property
    def message(self):
        """The first sentence, with the name of its field if the request is malformed."""
        name = next(iter(self.errors), None)
        sentence = first_sentence(self.errors)
        is_about_field = self.code in CODES_ABOUT_FIELDS and name not in WHOLE_REQUEST
        return sentence_about(name, sentence) if is_about_field else sentence

    @property
    def body(self):
        body = {
            "status": "error",
            "code": self.code,
            "errors": self.errors,
            "message": self.message,
        }
        if self.details is not None:
            body["details"] = self.details
        return {**body, "request_id": current_request_id()}


def exception_handler(error, context):
    """DRF's EXCEPTION_HANDLER: return a response for every exception."""
    problem = problem_from(error)
    if problem.code == "server_error":
        log_server_error(context["request"]._request, error, type(context["view"]).__name__)
    elif problem.code == "unavailable":
        outages.log(error)
    return Response(problem.body, status=problem.status, headers=problem.headers)


def log_server_error(request, error, where):
    """Log the error and send Django's signal `got_request_exception`."""
    logger.error("Unhandled error in %s", where, exc_info=error)
    got_request_exception.send(sender=None, request=request)


def problem_from(error):
    """Return the Problem for an exception, from the first row of CONVERTERS that matches."""
    if isinstance(error, IntegrityError):
        error = constraint_errors.validation_error_for(error) or error
    if outages.is_outage(error):
        sentence = outages.user_message(error)
        return problem_without_fields(
            "unavailable", sentence, **{"Retry-After": str(RETRY_SECONDS)}
        )
    for classes, convert in CONVERTERS:
        if isinstance(error, classes):
            return convert(error)
    return problem_without_fields(
        "server_error", _("An internal error occurred. Please try again later.")
    )


def _from_django_validation(error):
    """Convert Django's ValidationError, with the fields that it names."""
    if hasattr(error, "error_dict"):
        by_field = error.error_dict
    else:
        by_field = {NON_FIELD_ERRORS: error.error_list}
    all_errors = [one for errors in by_field.values() for one in errors]
    known = next((one for one in all_errors if one.code in ERROR_CODES), None)
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
    """Convert the ValidationError of a serializer; nested input keeps its nesting."""
    detail = error.detail
    by_field = detail if isinstance(detail, dict) else {api_settings.NON_FIELD_ERRORS_KEY: detail}
    return Problem(_published_code(error.get_codes()), by_field)


def _published_code(codes):
    """Return the first code of ERROR_CODES among a serializer's nested codes."""
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
    code = DRF_CODE_ALIASES.get(code, code)
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
    """Return a Problem with one sentence for the whole request."""
    return Problem(code, {"detail": [sentence]}, headers=headers)


def _fixed(code, sentence):
    """Return a converter that ignores the details of the exception."""
    return lambda error: problem_without_fields(code, sentence)


CONVERTERS: list[tuple[type | tuple[type, ...], Callable[[Any], Problem]]] = [
    (ValidationError, _from_django_validation),
    (exceptions.ValidationError, _from_drf_validation),
    (exceptions.APIException, _from_api_exception),
    ((Http404, ObjectDoesNotExist), _fixed("not_found", _("Not found."))),
    (PermissionDenied, _fixed("permission_denied", exceptions.PermissionDenied.default_detail)),
    (RequestDataTooBig, _fixed("too_large", _("The request is larger than the limit."))),
    (
        (SuspiciousOperation, BadRequest, MultiPartParserError, UnreadablePostError),
        _fixed("parse_error", _("The request could not be read.")),
    ),
    (DataError, _fixed("validation_error", _("A value is out of range."))),
]


def first_sentence(errors):
    """Return the first sentence of nested errors."""
    leaves = _leaves(errors)
    return str(leaves[0]) if leaves else ""
