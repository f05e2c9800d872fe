"""The product's answers as FastAPI, Pydantic and SQLAlchemy would give them, written as one would:
declared models and shapes, joined loading, synchronous views, a pool of connections.

    uvicorn benchmarks.yardstick.app:app
"""
