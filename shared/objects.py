"""The object store: pictures in one S3 bucket, by key, and links to them."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from shared.errors import ConfigurationError, NotFound, StorageUnavailable
from shared.settings import StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETE_BATCH = 1000  # S3's own limit for one DeleteObjects call
CHUNK_BYTES = 64 * 1024

# Told of each call: its operation, its seconds, and whether S3 answered as it should.
Observe = Callable[[str, float, bool], None]


def _unobserved(operation: str, seconds: float, answered: bool) -> None:
    """For whoever counts nothing."""


class ObjectStore:
    """Puts, gets, links and deletes; safe to share between threads."""

    def __init__(self, settings: StorageSettings, observe: Observe = _unobserved) -> None:
        self._observe = observe
        self._bucket = settings.s3_bucket
        self._link_seconds = settings.s3_link_seconds
        self._client = _client(settings, settings.s3_endpoint_url)
        # A signature covers the host, so links for clients are signed for the host they will dial.
        self._public = _client(settings, settings.s3_public_url) if settings.s3_public_url else None

    @property
    def has_public_links(self) -> bool:
        """Whether clients can fetch from S3 themselves."""
        return self._public is not None

    @property
    def link_seconds(self) -> int:
        """How long a link lives."""
        return self._link_seconds

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data` whole, or raise StorageUnavailable."""
        with self._calling("put"):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=data, ContentType=content_type
            )

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFound or StorageUnavailable."""
        with self._calling("get"):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def stream(self, key: str) -> Iterator[bytes]:
        """The object's bytes in chunks; errors are raised before the first one."""
        with self._calling("get"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        return body.iter_chunks(CHUNK_BYTES)

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            with self._calling("head"):
                self._client.head_object(Bucket=self._bucket, Key=key)
        except NotFound:
            return False
        return True

    def link(self, key: str, *, filename: str, content_type: str) -> str:
        """A presigned link for clients, good for `link_seconds`. Signing needs no network."""
        assert self._public is not None, "without a public endpoint the gateway streams"
        return self._public.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentType": content_type,
                "ResponseContentDisposition": f'inline; filename="{filename}"',
            },
            ExpiresIn=self._link_seconds,
        )

    def list_keys(self, prefix: str) -> list[str]:
        """All keys under `prefix`."""
        with self._calling("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Delete everything under `prefix` but the keys in `keep`; the number deleted."""
        keys = [key for key in self.list_keys(prefix) if key not in keep]
        for start in range(0, len(keys), DELETE_BATCH):
            batch = keys[start : start + DELETE_BATCH]
            with self._calling("delete"):
                self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
        return len(keys)

    def check(self) -> None:
        """Raise StorageUnavailable unless the bucket answers."""
        try:
            with self._calling("head"):
                self._client.head_bucket(Bucket=self._bucket)
        except NotFound as error:
            raise StorageUnavailable("the bucket does not exist") from error.__cause__

    def check_settings(self) -> None:
        """For a process that starts; an outage passes, since whoever needs S3 waits it out.

        Raises:
            ConfigurationError: S3 answers, but has no such bucket or not for these credentials.
        """
        try:
            self.check()
        except StorageUnavailable as error:
            reason = _wrong_setting(error.__cause__)
            if reason is not None:
                raise ConfigurationError(reason) from error

    @contextmanager
    def _calling(self, operation: str) -> Iterator[None]:
        """Time the call, and translate what fails."""
        began = time.monotonic()
        answered = True
        try:
            with _storage_errors():
                yield
        except StorageUnavailable:
            answered = False
            raise
        finally:
            self._observe(operation, time.monotonic() - began, answered)


def _client(settings: StorageSettings, endpoint: str | None) -> "S3Client":
    secret = settings.s3_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.s3_region,
        verify=str(settings.s3_ca_file) if settings.s3_ca_file else None,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=32,
        ),
    )


def _wrong_setting(cause: BaseException | None) -> str | None:
    if isinstance(cause, NoCredentialsError | PartialCredentialsError):
        return "TESSERA_S3_ACCESS_KEY_ID, TESSERA_S3_SECRET_ACCESS_KEY: S3 wants credentials"
    if isinstance(cause, ClientError):
        match cause.response["ResponseMetadata"]["HTTPStatusCode"]:
            case 404:
                return "TESSERA_S3_BUCKET: there is no such bucket"
            case 401 | 403:
                return "TESSERA_S3_ACCESS_KEY_ID, TESSERA_S3_SECRET_ACCESS_KEY: S3 refuses them"
    return None


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise NotFound("no such object") from error
        raise StorageUnavailable("the object store refused a request") from error
    except BotoCoreError as error:
        raise StorageUnavailable("the object store does not answer") from error
