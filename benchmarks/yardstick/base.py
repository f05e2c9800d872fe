"""The parts that app.py and core.py share: the engine, the answers and the pages."""

import os

from fastapi.responses import JSONResponse, Response
from sqlalchemy import create_engine

from benchmarks.contract import PAGE_SIZE, paged, success
from benchmarks.yardstick.shapes import Envelope

ADDRESS = os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg2://", 1)
engine = create_engine(ADDRESS, pool_size=8, connect_args={"options": "-c timezone=UTC"})


def refused(request, refusal):
    return JSONResponse(refusal.body, refusal.status)


def answer(shape, body, status=200):
    content = Envelope[shape].model_validate(body, from_attributes=True).model_dump_json()
    return Response(content, status, media_type="application/json")


def offset_of(request):
    return (_number(request) - 1) * PAGE_SIZE


def page_of(request, count, results):
    return success(
        paged(
            host=request.headers["host"],
            path=request.url.path,
            query=dict(request.query_params),
            page=_number(request),
            count=count,
            results=results,
        )
    )


def _number(request):
    return int(request.query_params.get("page", 1))
