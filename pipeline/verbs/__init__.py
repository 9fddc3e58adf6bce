"""The user's verbs by subject, each one thin function; it imports what it needs itself, so that --help is quick."""
