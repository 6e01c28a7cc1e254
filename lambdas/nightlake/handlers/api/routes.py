"""Every route of the API, in the order that the documents tell them; importing a file registers its routes."""

from nightlake.handlers.api import datasets, health, openapi, pages, queries, recommendations, reports, rows, runs
from nightlake.handlers.api.answers import router

__all__ = ["ROUTES", "router"]

ROUTES = (health, openapi, datasets, rows, recommendations, reports, queries, pages, runs)
