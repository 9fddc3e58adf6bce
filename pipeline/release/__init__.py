"""Release: what is told about a version, how it is compared with the champion, and where it comes from."""
