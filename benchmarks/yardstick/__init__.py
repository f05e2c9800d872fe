"""The product's answers from FastAPI, Pydantic and SQLAlchemy, written in their usual style.

The apps declare models and shapes, load relations by joins, and use synchronous views and a
connection pool.

    uvicorn benchmarks.yardstick.app:app    # SQLAlchemy's ORM
    uvicorn benchmarks.yardstick.core:app   # SQLAlchemy Core: list and detail
"""
