"""All that is wrong with a dataset, as one report for people and for machines."""
