"""The commands: thin, one file a subject."""
