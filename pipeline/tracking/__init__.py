"""Tracking and registry: the only folder that knows MLflow."""
