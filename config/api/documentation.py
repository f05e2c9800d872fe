"""What the OpenAPI document says about the operations of a viewset.

The document is in English for every reader, so these texts are not translated.
"""

from typing import NamedTuple


class Operation(NamedTuple):
    """One operation: its `operationId`, its title, and what API users need to know."""

    id: str
    summary: str
    description: str


class Resource(NamedTuple):
    """The operations of a viewset by action, below one tag of the document."""

    tag: str
    operations: dict[str, Operation]
