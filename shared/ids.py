"""Identifiers: sortable by time of creation, safe in URLs, Redis keys, RQ names and S3 keys."""

import hashlib
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


def attempt_prefix(tenant: str, job_id: str, attempt_id: str) -> str:
    """Under which the attempt's objects lie in S3."""
    return f"{job_prefix(tenant, job_id)}{attempt_id}/"


def job_prefix(tenant: str, job_id: str) -> str:
    """Under which all objects of the job lie in S3."""
    return f"{tenant}/{job_id}/"


def input_key(tenant: str, input_id: str) -> str:
    """Where a tenant's checked input picture lies in S3: a PNG, whatever was sent."""
    return f"{tenant}/inputs/{input_id}.png"


def input_id_of(data: bytes) -> str:
    """An input picture's id: the same bytes have the same one."""
    return f"in_{hashlib.sha256(data).hexdigest()[:32]}"


def job_id_of(prefix: str) -> str:
    """The job whose objects lie under that prefix."""
    return prefix.split("/")[1]
