"""Ablations: networks trained alike from one pretrained network, stressed alike, and put into one table."""
