"""Strict parsers: an ambiguous or damaged body is refused."""

import json
from math import isinf

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser

from config.api.renderers import ExampleBodyRenderer

MAX_DEPTH = 20


class StrictJSONParser(JSONParser):
    """Parses a UTF-8 JSON object without duplicate keys, NaN, lone surrogates or deep nesting."""

    renderer_class = ExampleBodyRenderer  # fills the form of the browsable API

    def parse(self, stream, media_type=None, parser_context=None):
        _refuse_longer_than(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, parser_context)
        try:
            text = stream.read().decode("utf-8")
            body = json.loads(
                text,
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
                parse_float=_finite,
            )
        except UnicodeDecodeError as error:
            raise ParseError(_("The body is not valid UTF-8.")) from error
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON.")) from error
        if not isinstance(body, dict):
            raise ParseError(_("The body must be a JSON object."))
        for name, value in body.items():
            _inspect(name, name, 0)
            _inspect(name, value, 1)
        return body


class BoundedMultiPartParser(MultiPartParser):
    """Parses form data with files up to MAX_UPLOAD_BYTES; each field may appear once."""

    def parse(self, stream, media_type=None, parser_context=None):
        _refuse_longer_than(settings.MAX_UPLOAD_BYTES, parser_context)
        try:
            parsed = super().parse(stream, media_type, parser_context)
        except TypeError as error:  # Django's parser of header parameters (RFC 2231)
            raise ParseError(_("A header of the form could not be read.")) from error
        if not parsed.data and not parsed.files:
            raise ParseError(_("The form has no fields."))
        for values in (parsed.data, parsed.files):
            for name, given in values.lists():
                if len(given) > 1:
                    raise _field_error(name, _("Give this field only once."))
        return parsed


def _refuse_longer_than(limit, parser_context):
    length = parser_context["request"].META.get("CONTENT_LENGTH") or 0
    if int(length) > limit:
        raise RequestDataTooBig


def _unique(pairs):
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, value in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise _field_error(repeated, _("Give this field only once."))
    return body


def _finite(digits):
    number = float(digits)
    if isinf(number):
        raise ParseError(_("The body contains a number that is too large."))
    return number


def _refuse_constant(name):
    raise ParseError(_("%(name)s is not valid JSON.") % {"name": name})


def _inspect(field, value, depth):
    """Refuse invalid text and deep nesting, which no field accepts."""
    if depth > MAX_DEPTH:
        raise _field_error(field, _("This is nested too deeply."))
    if isinstance(value, str):
        if not _is_text(value):
            raise _field_error(field, _("This is not valid text."))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _inspect(field, key, depth)
            _inspect(field, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _inspect(field, inner, depth + 1)


def _is_text(value):
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _field_error(field, sentence):
    name = field.encode(errors="backslashreplace").decode()
    return ValidationError({name: [ErrorDetail(sentence, code="invalid")]})
