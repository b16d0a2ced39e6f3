"""The S3 stand-in: buckets apart, and an end that comes with its parent's."""

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from obstore.exceptions import BaseError
from obstore.store import from_url

from tests.object_store import ROOT

STARTS_ONE = """
import sys, pathlib, tests.object_store
store = tests.object_store.ObjectStore(pathlib.Path(sys.argv[1]))
print(store.pid, flush=True)
sys.stdin.read()
"""


def test_buckets_are_apart(s3, bucket_url):
    one, other = from_url(bucket_url), from_url(s3.new_bucket())
    one.put("key", b"bytes")
    assert one.get("key").bytes() == b"bytes"
    with pytest.raises(FileNotFoundError):
        other.get("key")


def test_restarted_has_its_address_and_its_buckets_empty(s3, bucket_url):
    bucket = from_url(bucket_url, retry_config={"max_retries": 0})
    bucket.put("key", b"bytes")
    s3.stop_now()
    with pytest.raises(BaseError, match="error sending request"):
        bucket.get("key")
    s3.restart()
    assert list(bucket.list()) == []


def test_it_ends_with_the_process_that_started_it(tmp_path: Path):
    command = [sys.executable, "-c", STARTS_ONE, str(tmp_path)]
    parent = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent, contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        child.wait(10)
