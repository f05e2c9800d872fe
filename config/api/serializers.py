"""Strict serializers: no part of a body is ignored silently."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from copy import copy, deepcopy

from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer

from config.api.fields import BoundedDateTimeField, LineField, RecordIdField, is_canonical
from config.db import text
from config.db.querysets import hidden_fields

MISSING = object()  # not equal to any JSON value
CANONICAL_FIELDS = (
    serializers.IntegerField,
    serializers.DecimalField,
    serializers.DateField,
    serializers.DateTimeField,
    serializers.TimeField,
)


class StrictBody:
    """Refuses unknown fields, changed read-only fields and unusual spellings of numbers.

    A client may send back the representation it got. A read-only field is refused if its value
    differs from the representation, or if the request is a POST. Read-only lists (nested records,
    allowed actions) are ignored, because they change by themselves.
    """

    def to_internal_value(self, data):
        errors = self._field_errors(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail = error.detail if isinstance(error.detail, dict) else {}
            raise serializers.ValidationError({**detail, **errors}) from error
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def _field_errors(self, data):
        fields, errors, current = self.fields, {}, None
        for name, value in data.items():
            if name not in fields:
                sentence = _("This operation does not know this field.")
                errors[name] = [ErrorDetail(sentence, code="unknown_field")]
            elif fields[name].read_only:
                if current is None:
                    current = self._representation()
                if not _is_unchanged(value, current.get(name, MISSING)):
                    errors[name] = [ErrorDetail(_("This field is read-only."), code="read_only")]
            elif not _is_canonical(value, fields[name]):
                sentence = _("Use only the digits 0 to 9, without spaces.")
                errors[name] = [ErrorDetail(sentence, code="invalid")]
        return errors

    def _representation(self):
        """Return the JSON representation of the record; {} if there is none yet."""
        if self.instance is None:
            return {}
        return json.loads(JSONRenderer().render(self.to_representation(self.instance)))


def _is_canonical(value, field):
    if not isinstance(getattr(field, "child", field), CANONICAL_FIELDS):
        return True
    return all(map(is_canonical, value if isinstance(value, list) else [value]))


def _is_unchanged(value, shown):
    if isinstance(shown, list):
        return isinstance(value, list)
    if isinstance(value, bool) or isinstance(shown, bool):
        return value is shown
    # All values in a multipart form are text.
    is_form_value = isinstance(value, str) and isinstance(shown, (int, float))
    return value == shown or (is_form_value and value == str(shown))


class StrictSerializer(StrictBody, serializers.Serializer):
    """The base of serializers that do not belong to a model."""

    def get_fields(self):
        """Copy the declared fields; only fields that contain others need a deep copy."""
        return {
            name: deepcopy(field) if _contains_fields(field) else copy(field)
            for name, field in self._declared_fields.items()
        }


class ResponseOfAnotherSerializer(serializers.BaseSerializer):
    """Reads a body; `response_class` writes the response, and documents it."""

    response_class: type[serializers.BaseSerializer]

    def to_representation(self, instance):
        return self.response_class(instance, context=self.context).data


def _contains_fields(field):
    is_list = {"child", "child_relation"} & vars(field).keys()
    return is_list or isinstance(field, serializers.BaseSerializer)


# No docstring: the OpenAPI document would show it as the description of each subclass.
class BaseModelSerializer(serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.BigAutoField: RecordIdField,
        models.DateTimeField: BoundedDateTimeField,
        text.LineField: LineField,
    }


class StrictModelSerializer(StrictBody, BaseModelSerializer):
    """Serializes a row without the fields that its model hides from the caller (`hidden_from`).

    `read_only_for`     role → names of fields that the role may only read
    `immutable_fields`  names of fields that are read-only once the row exists
    """

    read_only_for = {}
    immutable_fields: AbstractSet[str] = frozenset()

    def __init_subclass__(cls, **kwargs):
        """Refuse names in both tables that are not in `Meta.fields`, when the class is created."""
        super().__init_subclass__(**kwargs)
        tables = {f"read_only_for[{role!r}]": names for role, names in cls.read_only_for.items()}
        for table, names in (tables | {"immutable_fields": cls.immutable_fields}).items():
            if unknown := sorted(set(names).difference(cls.Meta.fields)):
                raise ImproperlyConfigured(
                    f"{cls.__name__}.{table} names {', '.join(unknown)}, "
                    f"which {cls.__name__}.Meta.fields does not contain."
                )

    @cached_property
    def viewer_role(self):
        return getattr(getattr(self.context.get("request"), "user", None), "role", None)

    def get_fields(self):
        fields = super().get_fields()
        for name in hidden_fields(self.Meta.model, self.viewer_role):
            fields.pop(name, None)
        read_only = set(self.read_only_for.get(self.viewer_role, ()))
        if self.instance is not None:
            read_only |= self.immutable_fields
        for name in read_only & fields.keys():  # the others are hidden
            fields[name].read_only = True
        return fields


def example_body(serializer):
    """Return the serializer's `example` without its read-only fields."""
    if isinstance(serializer, type):
        serializer = serializer()
    fields = getattr(serializer, "fields", {})
    return {
        name: value
        for name, value in getattr(serializer, "example", {}).items()
        if name in fields and not fields[name].read_only
    }
