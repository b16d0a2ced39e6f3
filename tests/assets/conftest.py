"""The S3 stand-in for the tests of assets."""

from tests.object_store import bucket_url as bucket_url
from tests.object_store import s3 as s3
