"""A small world: what every stage before the report leaves, drawn."""

from tests.world.reported import config, drawn, page, sources

__all__ = ["config", "drawn", "page", "sources"]
