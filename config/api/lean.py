"""Records shown without the fields that would write them.

DRF makes every field of a serializer anew for each request, and asks each of them about each row.
Here a field becomes a reader once: a function of the serializer and the record. What it gives is
what the field would, and where that is not certain the field itself is asked.
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter
from types import NoneType
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import ForeignKey
from django.utils import timezone
from django.utils.functional import cached_property
from rest_framework import ISO_8601, relations, serializers
from rest_framework.fields import SkipField
from rest_framework.settings import api_settings
from rest_framework.utils.serializer_helpers import BindingDict

# What DRF has an answer of its own to: an attribute that is not there, a day beyond the calendar.
EXCEPTIONAL = (AttributeError, KeyError, ObjectDoesNotExist, SkipField, OverflowError)


class LeanReading:
    """For a ModelSerializer that reads often. Which fields there are for whom, its tables say.

    `hidden_from`    role → names of fields that are not there for it
    `read_only_for`  role → names of fields it reads only
    `set_once`       names of fields that are read-only once there is a record

    DRF reads by the fields, as ever, where they have been made (after a body was read, or by who
    looks at `fields`), and for a class that has another way to say which there are.
    """

    hidden_from = {}
    read_only_for = {}
    set_once = frozenset()

    @cached_property
    def reader_role(self):
        return getattr(getattr(self.context.get("request"), "user", None), "role", None)

    @cached_property
    def zone(self):
        return timezone.get_current_timezone()

    @cached_property
    def asked(self):
        """The fields that had to be asked, by name."""
        return {}

    @cached_property
    def readers(self):
        return readers_of(type(self), frozenset(self.hidden_from.get(self.reader_role, ())))

    def get_fields(self):
        fields = super().get_fields()
        for name in self.hidden_from.get(self.reader_role, ()):
            del fields[name]
        for name in self.read_only_for.get(self.reader_role, ()):
            fields[name].read_only = True
        if self.instance is not None:
            for name in self.set_once:
                fields[name].read_only = True
        return fields

    def to_representation(self, record):
        if "fields" in vars(self) or not self.readers:
            return super().to_representation(record)
        try:
            return self.readers.shown(self, record)
        except EXCEPTIONAL:
            return super().to_representation(record)


class Reader(NamedTuple):
    """How a field is read: an attribute of that `kind` as it is or as it is `shown`, a None as it
    is; all else the field is `asked`, with the serializer and the record.
    """

    asked: Callable
    path: str = "_state"  # which every row has; its kind is none that a field shows
    kind: type | None = None
    shown: Callable | None = None


class Readers:
    def __init__(self, readers):
        self.readers = readers
        self.values_of = attrgetter(*(reader.path for reader in readers.values()))
        self.plan = lru_cache(maxsize=256)(self._plan)

    def shown(self, serializer, record):
        values = self.values_of(record)
        shown, asked = self.plan(tuple(map(type, values)))
        answer = dict(zip(self.readers, values, strict=True))
        for name, show in shown:
            answer[name] = show(serializer, answer[name])
        for name, ask in asked:
            answer[name] = ask(serializer, record)
        return answer

    def _plan(self, kinds):
        """What does not stay as it is, where the values are of these kinds."""
        shown, asked = [], []
        for (name, reader), kind in zip(self.readers.items(), kinds, strict=True):
            if kind is reader.kind:
                shown += [(name, reader.shown)] if reader.shown else []
            elif kind is not NoneType:
                asked.append((name, reader.asked))
        return shown, asked


@cache
def readers_of(serializer_class, hidden):
    """Of what the class shows but for the hidden; None where DRF has to read."""
    if not _has_the_fields_of_its_tables(serializer_class):
        return None
    serializer = serializer_class()
    fields = BindingDict(serializer)
    for name, field in super(LeanReading, serializer).get_fields().items():
        fields[name] = field
    for name in hidden:
        del fields[name]
    readers = {name: _reader(one) for name, one in fields.items() if not one.write_only}
    return Readers(readers) if len(readers) > 1 else None


CHOOSING_FIELDS = {
    "fields",
    "_readable_fields",
    "get_fields",
    "get_field_names",
    "get_default_field_names",
    "get_extra_kwargs",
    "get_uniqueness_extra_kwargs",
    "include_extra_kwargs",
    "to_representation",
    *(name for name in vars(serializers.ModelSerializer) if name.startswith("build_")),
}
CHOOSERS = {LeanReading, *serializers.ModelSerializer.__mro__}


def _has_the_fields_of_its_tables(serializer_class):
    """Whether nothing but DRF, and the tables of LeanReading, says which fields it has."""
    others = set(serializer_class.__mro__) - CHOOSERS
    return not any(CHOOSING_FIELDS & vars(other).keys() for other in others)


def _reader(field):
    if _reads_as(serializers.SerializerMethodField, field):
        return Reader(_of_a_method(field.method_name))
    if column := _key_column(field):
        return Reader(_of_the_field(field), column, int)
    for kind, (value, shown) in KINDS.items():
        if _reads_as(kind, field):
            return Reader(_of_any_field(field), field.source, value, shown and shown(field))
    return Reader(_of_the_field(field))


READING = (
    "get_attribute",
    "to_representation",
    "use_pk_only_optimization",
    "enforce_timezone",
    "default_timezone",
    "quantize",
)


def _reads_as(kind, field):
    """Whether it is a field of that kind, and no subclass of it that reads in a way of its own."""
    return isinstance(field, kind) and all(
        getattr(type(field), method, None) is getattr(kind, method, None) for method in READING
    )


def _key_column(field):
    """The column that holds the key of the record that a field relates to; None if there is none.

    So that the record itself is not fetched.
    """
    if not _reads_as(relations.PrimaryKeyRelatedField, field) or field.pk_field is not None:
        return None
    try:
        column = field.parent.Meta.model._meta.get_field(field.source)
    except FieldDoesNotExist:
        return None
    return column.attname if isinstance(column, ForeignKey) else None


def _of_a_method(name):
    def read(serializer, record):
        return getattr(serializer, name)(record)

    return read


def _of_the_field(field):
    """Asks a copy of the field that belongs to the serializer, as DRF would make it."""
    name = field.field_name

    def read(serializer, record):
        own = serializer.asked.get(name)
        if own is None:
            own = serializer.asked[name] = deepcopy(field)
            own.bind(name, serializer)
        return _asked(own, record)

    return read


def _of_any_field(field):
    """Asks the field itself: one of the KINDS needs no serializer to read."""

    def read(serializer, record):
        return _asked(field, record)

    return read


def _asked(field, record):
    value = field.get_attribute(record)
    is_none = (value.pk if isinstance(value, relations.PKOnlyObject) else value) is None
    return None if is_none else field.to_representation(value)


def _by_the_field(field):
    """As the field shows it, which needs no serializer for that."""

    def shown(serializer, value):
        return field.to_representation(value)

    return shown


def _whole_number(field):
    default = api_settings.COERCE_BIGINT_TO_STRING
    return _by_the_field(field) if getattr(field, "coerce_to_string", default) else None


def _choice(field):
    """As it is, where that is what DRF has for each choice."""
    own = field.choice_strings_to_values.items()
    is_plain = all(type(value) is str and value == name for name, value in own)
    return None if is_plain else _by_the_field(field)


def _day_or_hour(field):
    """As it is: what it looks like in JSON is the renderer's."""
    is_plain = {api_settings.DATE_FORMAT, api_settings.TIME_FORMAT} == {ISO_8601}
    return None if is_plain and not hasattr(field, "format") else _by_the_field(field)


def _in_the_zone(field):
    """A moment; that too stays one, as DRF leaves it where DATETIME_FORMAT is None."""
    if settings.USE_TZ is False or api_settings.DATETIME_FORMAT != ISO_8601:
        return _by_the_field(field)
    if hasattr(field, "format") or hasattr(field, "timezone"):
        return _by_the_field(field)

    def shown(serializer, value):
        if value.tzinfo is None or value.year < FIRST_YEAR_OF_WHOLE_MINUTES:
            return field.to_representation(value)
        return value.astimezone(serializer.zone)

    return shown


FIRST_YEAR_OF_WHOLE_MINUTES = 1973  # until when some zones were seconds apart, which JSON cuts off

KINDS = {  # field: the type of value it is not asked about, and how that is shown if not as it is
    serializers.CharField: (str, None),
    serializers.IntegerField: (int, None),
    serializers.BooleanField: (bool, None),
    serializers.BigIntegerField: (int, _whole_number),
    serializers.ChoiceField: (str, _choice),
    serializers.DecimalField: (Decimal, _by_the_field),
    serializers.DateField: (date, _day_or_hour),
    serializers.TimeField: (time, _day_or_hour),
    serializers.DateTimeField: (datetime, _in_the_zone),
}
