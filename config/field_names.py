"""Makes the names of models and fields translatable, also those that Django derives.

Django derives "date of birth" from the name `date_of_birth`, and does not translate it. Declaring a
translatable `verbose_name` for each field would need a migration that changes no column.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, override


def translate_names(models):
    """Replace names that are plain text by translations, which are looked up when shown."""
    for model in models:
        meta = model._meta
        for field in _fields(model):
            field.verbose_name = _translatable(field.verbose_name)
        if not isinstance(meta.verbose_name, Promise):
            # The plural that Django derives is not translated either, though it is a Promise.
            meta.verbose_name_plural = gettext_lazy(str(meta.verbose_name_plural))
        meta.verbose_name = _translatable(meta.verbose_name)
        meta.verbose_name_plural = _translatable(meta.verbose_name_plural)


def message_ids(models):
    """Return the untranslated names of the models and their fields."""
    named = [field for model in models for field in _fields(model)]
    with override(None):
        ids = {str(one.verbose_name) for one in [*named, *(model._meta for model in models)]}
        return ids | {str(model._meta.verbose_name_plural) for model in models}


def _fields(model):
    return [*model._meta.fields, *model._meta.many_to_many]


def _translatable(name):
    return name if isinstance(name, Promise) else gettext_lazy(name)
