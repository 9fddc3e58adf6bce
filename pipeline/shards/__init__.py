"""Clip shards: samples, how they are planned, cropped, packed and read again."""
