"""Serving: a registered network as an MLflow pyfunc, for a process that has the wheel alone."""
