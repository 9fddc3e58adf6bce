"""The machinery: formats, shards, training, search, tracking, evaluation and report."""
