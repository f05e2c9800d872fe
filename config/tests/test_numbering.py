"""Fields are numbered in the order they are made, and nothing is written on their class."""

import pytest
from rest_framework import serializers
from rest_framework.fields import Field

from appointments.serializers import AppointmentSerializer


def test_no_class_is_written_to_where_a_serializer_is_made():
    before = {one: dict(vars(one)) for one in (*AppointmentSerializer.__mro__[:-1], Field)}

    assert AppointmentSerializer(many=True).child.fields["status"].choices

    assert {one: dict(vars(one)) for one in before} == before


def test_each_is_numbered_after_all_that_were_made_before():
    declared = AppointmentSerializer._declared_fields["patient_name"]
    one, other = serializers.CharField(), AppointmentSerializer()

    assert declared._creation_counter < one._creation_counter < other._creation_counter


def test_fields_stand_in_the_order_in_which_they_were_declared():
    class Ordered(serializers.Serializer):
        b = serializers.CharField()
        c = serializers.IntegerField()
        a = serializers.DateField()

    class Extended(Ordered):
        _ = serializers.CharField()

    assert list(Extended().fields) == ["b", "c", "a", "_"]


def test_what_drf_asks_of_a_field_it_still_asks():
    with pytest.raises(AssertionError, match="ReadOnlyField"):
        Field(read_only=True)
    assert serializers.ReadOnlyField().read_only
