"""Bodies in which nothing is dropped in silence."""

import json
from collections.abc import Mapping
from copy import copy, deepcopy

from django.db import models
from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer

from config.api.fields import RecordIdField, is_canonical
from config.db.querysets import hidden_fields

NOTHING = object()  # equals nothing that a body can say
WRITTEN_IN_DIGITS = (
    serializers.IntegerField,
    serializers.DecimalField,
    serializers.DateField,
    serializers.TimeField,
)


class StrictBody:
    """Refuses unknown names, read-only fields that are no echo, and numbers written oddly.

    A client may send back what GET showed it. A read-only field that differs from that, or that
    stands in the body of a POST, is refused under its name; lists in the representation (parts, the
    open moves) are ignored, for they change by themselves.
    """

    def to_internal_value(self, data):
        refused = self._refused(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **refused}) from error
        if refused:
            raise serializers.ValidationError(refused)
        return values

    def _refused(self, data):
        fields, refused, shown = self.fields, {}, None
        for name, value in data.items():
            if name not in fields:
                sentence = "This operation knows no such field."
                refused[name] = [ErrorDetail(sentence, code="unknown_field")]
            elif fields[name].read_only:
                if shown is None:
                    shown = self._shown()
                if not _is_echo(value, shown.get(name, NOTHING)):
                    refused[name] = [ErrorDetail("This field is read-only.", code="read_only")]
            elif not _is_plain(value, fields[name]):
                sentence = "Write it in the digits 0 to 9, without blanks."
                refused[name] = [ErrorDetail(sentence, code="invalid")]
        return refused

    def _shown(self):
        """What GET shows of the record being changed; nothing where there is none yet."""
        if self.instance is None:
            return {}
        return json.loads(JSONRenderer().render(self.to_representation(self.instance)))


def _is_plain(value, field):
    if not isinstance(getattr(field, "child", field), WRITTEN_IN_DIGITS):
        return True
    return all(map(is_canonical, value if isinstance(value, list) else [value]))


def _is_echo(value, shown):
    if isinstance(shown, list):
        return isinstance(value, list)
    if isinstance(value, bool) or isinstance(shown, bool):
        return value is shown
    of_a_form = isinstance(value, str) and isinstance(
        shown, (int, float)
    )  # multipart has only text
    return value == shown or (of_a_form and value == str(shown))


class StrictSerializer(StrictBody, serializers.Serializer):
    """For a body that is not simply a row."""

    def get_fields(self):
        """As DRF's, which makes each field anew; but one that holds no other is only copied."""
        return {
            name: deepcopy(field) if _holds_others(field) else copy(field)
            for name, field in self._declared_fields.items()
        }


def _holds_others(field):
    is_list = {"child", "child_relation"} & vars(field).keys()
    return is_list or isinstance(field, serializers.BaseSerializer)


# No docstring: the OpenAPI document would show it as the description of each subclass.
class BaseModelSerializer(serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.BigAutoField: RecordIdField,
    }


class StrictModelSerializer(StrictBody, BaseModelSerializer):
    """Serializes a row without the fields that its model hides from the caller (`hidden_from`).

    `read_only_for`     role → names of fields that the role may only read
    `immutable_fields`  names of fields that are read-only once the row exists
    """

    read_only_for = {}
    immutable_fields = frozenset()

    @cached_property
    def viewer_role(self):
        return getattr(getattr(self.context.get("request"), "user", None), "role", None)

    def get_fields(self):
        fields = super().get_fields()
        for name in hidden_fields(self.Meta.model, self.viewer_role):
            fields.pop(name, None)
        for name in self.read_only_for.get(self.viewer_role, ()):
            fields[name].read_only = True
        if self.instance is not None:
            for name in self.immutable_fields:
                fields[name].read_only = True
        return fields


def example_body(serializer):
    """A body that the serializer reads: its `example` without what is read-only."""
    if isinstance(serializer, type):
        serializer = serializer()
    fields = getattr(serializer, "fields", {})
    return {
        name: value
        for name, value in getattr(serializer, "example", {}).items()
        if name in fields and not fields[name].read_only
    }
