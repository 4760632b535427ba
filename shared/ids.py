"""Identifiers: sortable by time of creation, safe in URLs, Redis keys, RQ names and S3 keys."""

import secrets

import uuid_utils


def new_job_id() -> str:
    """`job_` and a UUIDv7 in hexadecimal, so that ids sort by the time of creation."""
    return f"job_{uuid_utils.uuid7().hex}"


def new_attempt_id() -> str:
    """The fence of one try at a job; also the last folder of its objects' keys."""
    return f"att_{uuid_utils.uuid7().hex}"


def new_request_id() -> str:
    """Names one HTTP request in its answer and in the log."""
    return f"req_{secrets.token_hex(8)}"
