"""The `tessera` command, the Python client, and the local stack."""
