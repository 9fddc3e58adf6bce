"""The commands of the DAG in dvc.yaml, one thin module each."""
