"""A real MLflow on SQLite, with networks to register."""

from tests.world.registry import database, model, random_network, tracking, trained, version

__all__ = ["database", "model", "random_network", "tracking", "trained", "version"]
