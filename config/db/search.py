"""Searching rows by the people and the texts that they name."""

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib.postgres.search import TrigramSimilarity, TrigramWordSimilarity
from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat

from config.db.search_text import search_terms, split_query

# The columns of config.db.search_text's spelling; see accounts.models.searchable.
NORMALISED = ("search_text", "sort_last_name", "sort_first_name")


MIN_WORD_SIMILARITY = 0.2  # of each word; settings.DATABASES has that of the whole query


class Found(NamedTuple):
    rows: QuerySet
    order: tuple[str, ...]  # of the rows before any other; empty unless they are similar ones


def search(rows: QuerySet, fields: Sequence[str], query: str) -> Found:
    """Find the rows in which each word of the query is a part of one of the fields.

    A normalised field is compared with the word's terms, any other with the word in any case. On
    PostgreSQL a search by `search_text` that finds nothing finds the rows with similar words
    instead, the most similar first.
    """
    words, found = split_query(query), rows
    for word in words:
        found = found.filter(_condition(fields, word))
    own = next((name for name in fields if name.split("__")[-1] == "search_text"), None)
    terms = " ".join(term for word in words for term in search_terms(word))
    has_number = any(map(str.isdigit, terms))  # which has one spelling
    if own is None or not terms or has_number or connection.vendor != "postgresql":
        return Found(found, ())
    if found.exists():
        return Found(found, ())
    similar = rows.filter(**{f"{own}__trigram_word_similar": terms})
    for number, term in enumerate(terms.split()):  # a word that nothing resembles finds nobody
        similar = similar.alias(**{f"word_{number}": TrigramWordSimilarity(term, own)})
        similar = similar.filter(**{f"word_{number}__gte": MIN_WORD_SIMILARITY})
    person = own.removesuffix("search_text")
    names = Concat(f"{person}sort_first_name", Value(" "), f"{person}sort_last_name")
    return Found(similar.annotate(similarity=TrigramSimilarity(names, terms)), ("-similarity",))


def _condition(fields: Sequence[str], word: str) -> Q:
    terms, condition = list(search_terms(word)), Q(pk__in=[])
    for name in fields:
        if name.split("__")[-1] not in NORMALISED:
            condition |= Q(**{f"{name}__icontains": word})
        elif terms:
            condition |= Q(*(Q(**{f"{name}__contains": term}) for term in terms))
    return condition
