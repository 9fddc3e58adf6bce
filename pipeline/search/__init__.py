"""Hyperparameter search by Ray Tune: Optuna proposes, ASHA stops what lags behind."""
