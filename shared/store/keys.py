"""Every key and channel of the store: the names, and what keeps each from staying for ever."""

import hashlib

LEASES = "tessera:leases"  # sorted set: running jobs by the end of their leases
DEADLINES = "tessera:deadlines"  # sorted set: jobs with a deadline, not ended, by it
EXPIRY = "tessera:expiry"  # sorted set: ended jobs by the time of their removal
SWEEPS = "tessera:sweeps"  # sorted set: object prefixes of ended attempts by the time of sweeping
INPUTS = "tessera:inputs"  # sorted set: input pictures ("tenant/id") by the time of their removal
LANES = "tessera:lanes"  # set: lanes ("model:priority") with waiting jobs
QUEUE_COST = "tessera:queue:cost"  # hash: lane -> cost that waits in it
WORKERS = "tessera:workers"  # set: ids of workers that announced themselves
API_KEYS = "tessera:apikeys"  # set: ids of all API keys
PENDING_WEBHOOKS = "tessera:webhooks:pending"  # sorted set: deliveries not done, by their making
LINK_SECRET = "tessera:link_secret"  # noqa: S105 - string: signs the gateways' event links

# Strings with a TTL, `tessera:limit:{name}`, are made by `_limits.lua`: until when somebody owes.

# Keys without a TTL, and what removes each. Everything else has a TTL.
LASTING = {
    r"tessera:job:job_\w+": "forget, once retention has passed or the job was deleted",
    r"tessera:events:job_\w+": "forget, with the record",
    r"tessera:input(_jobs)?:[^:]+:in_\w+": "forget_input, some time after the last use",
    r"tessera:tenant:[^:]+:\w+": "empties with the tenant's jobs",
    r"tessera:lane:[^:]+:\w+:(waiting|tenants|costs|idle|jobs:[^:]+)": "empties with the lane",
    r"tessera:(leases|deadlines|expiry|sweeps|lanes|inputs)": "indexes; empty with the jobs",
    r"tessera:queue:(cost|turn|reaped_at)": "one number or a few, for all jobs together",
    r"tessera:workers": "ids; those without a record are dropped when the list is read",
    r"tessera:apikeys": "ids; those without a record are dropped when the list is read",
    r"tessera:apikey:\w+": "revoke",
    r"tessera:webhooks:(pending|tenants|targets:[^:]+|due:\w+)": "empty with the deliveries",
    r"tessera:webhooks:flights:(tenant:[^:]+|target:\w+)": "empties as tries end",
    r"tessera:delivery:msg_\w+": "settle_delivery gives it a TTL when its last try is done",
    r"tessera:signing:\w+": "revoke gives it a TTL",
    r"tessera:link_secret": "nothing: the first gateway makes it, once",
}


def job(job_id: str) -> str:
    """Hash: the record."""
    return f"tessera:job:{job_id}"


def events(job_id: str) -> str:
    """Stream: the job's events; also the channel on which each is published."""
    return f"tessera:events:{job_id}"


def progress(job_id: str) -> str:
    """String on the scratch server, with a TTL: the newest progress."""
    return f"tessera:progress:{job_id}"


def checkpoints(job_id: str) -> str:
    """Hash on the scratch server, with a TTL: image index -> its sample's newest checkpoint."""
    return f"tessera:checkpoint:{job_id}"


def preview(job_id: str) -> str:
    """String on the scratch server, with a TTL: the file of the newest preview."""
    return f"tessera:preview:{job_id}"


def input_picture(tenant: str, input_id: str) -> str:
    """Hash: an input picture's width, height, bytes as sent, and whether its object lies in S3."""
    return f"tessera:input:{tenant}:{input_id}"


def input_jobs(tenant: str, input_id: str) -> str:
    """Set: ids of jobs that use the input picture; those that have ended are taken out late."""
    return f"tessera:input_jobs:{tenant}:{input_id}"


def idempotency(tenant: str, key: str) -> str:
    """String with a TTL: `fingerprint:job_id`. Hashed, since clients choose the key."""
    return f"tessera:idempotency:{hashlib.sha256(f'{tenant}/{key}'.encode()).hexdigest()}"


def tenant_jobs(tenant: str, status: str | None) -> str:
    """Sorted set: the tenant's visible jobs, all or those in one status, by id."""
    return f"tessera:tenant:{tenant}:{status or 'jobs'}"


def worker(worker_id: str) -> str:
    """String with a TTL: the worker's record."""
    return f"tessera:worker:{worker_id}"


def loading(model: str) -> str:
    """String with a TTL: the worker that loads the model, until its record tells."""
    return f"tessera:loading:{model}"


def control(worker_id: str) -> str:
    """Channel: what a worker is told at once."""
    return f"tessera:control:{worker_id}"


def delivery(delivery_id: str) -> str:
    """Hash: one webhook event on its way to its receiver, and how each try went."""
    return f"tessera:delivery:{delivery_id}"


def deliveries_due(target: str) -> str:
    """Sorted set: a receiver's pending deliveries by the time of the next try."""
    return f"tessera:webhooks:due:{target}"


def undelivered(tenant: str, status: str) -> str:
    """Sorted set with a TTL: a tenant's deliveries that failed, or were for a disabled endpoint."""
    return f"tessera:webhooks:{status}:{tenant}"


def endpoint(endpoint_id: str) -> str:
    """Hash with a TTL: since when an endpoint fails, and whether it is disabled."""
    return f"tessera:endpoint:{endpoint_id}"


def signing(owner: str) -> str:
    """String: the secret that signs an owner's webhooks."""
    return f"tessera:signing:{owner}"


def former_signing(owner: str) -> str:
    """String with a TTL: the secret before the last rotation."""
    return f"tessera:signing:{owner}:former"


def api_key(key_id: str) -> str:
    """Hash: one API key, its secret hashed."""
    return f"tessera:apikey:{key_id}"
