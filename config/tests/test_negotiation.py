"""The fast path of content negotiation chooses the same renderer as DRF."""

import pytest
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from config.api.negotiation import StrictContentNegotiation
from config.api.renderers import EnvelopeBrowsableAPIRenderer, EnvelopeJSONRenderer

RENDERERS = [EnvelopeJSONRenderer(), EnvelopeBrowsableAPIRenderer()]


def chosen(negotiation, accept, query=""):
    headers = {} if accept is None else {"Accept": accept}
    request = Request(APIRequestFactory().get(f"/{query}", headers=headers))
    try:
        return negotiation().select_renderer(request, RENDERERS)
    except NotAcceptable:
        return None


@pytest.mark.parametrize("query", ["", "?page=2", "?format=json", "?format=api"])
@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/json",
        " application/json ",
        "application/*",
        "application/json;indent=4",
        "application/json, text/plain, */*",
        "text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json;q=0.1, text/html",
        "image/png",
    ],
)
def test_content_negotiation_equals_that_of_drf(accept, query):
    ours = chosen(StrictContentNegotiation, accept, query)

    assert ours == chosen(DefaultContentNegotiation, accept, query)
