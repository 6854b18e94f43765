"""Builds from S3 and into it by the real commands: two worker processes, Dask, `kill -9` in the middle."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def expected(corpus, commands, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of the same build on a disk."""
    folder = tmp_path_factory.mktemp("local") / "shards"
    commands.must_build(*corpus.arguments(folder))
    return commands.fingerprint(folder)


@pytest.fixture
def arguments(corpus, bucket) -> list[str]:
    """Those of the build, with everything in the bucket."""
    bucket.put_folder(corpus.folder, "in")
    local = corpus.arguments(Path("OUTPUT"))
    remote = [
        word.replace(str(corpus.folder), bucket.address("in")).replace("OUTPUT", bucket.address("out"))
        for word in local
    ]
    return [*remote, *bucket.options]


def fingerprint(commands, bucket) -> str:
    verified = commands.run([sys.executable, "-m", "preprocessing.verify", bucket.address("out"), *bucket.options])
    assert verified.returncode == 0, verified.stderr
    return verified.stdout.splitlines()[-1]


def secrets_in(bucket) -> list[str]:
    return [name for name in bucket.names() if b"a-secret-of-the-tests" in bucket.get(name)]


def test_two_worker_processes(commands, bucket, arguments: list[str], expected: str) -> None:
    commands.must_build(*arguments, "--keep-intermediate", workers=2)
    assert fingerprint(commands, bucket) == expected
    assert secrets_in(bucket) == []
    assert "out/build.lock" not in bucket.names()


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra `dask` is not installed")
def test_dask(commands, bucket, arguments: list[str], expected: str) -> None:
    commands.must_build(*arguments, "--keep-intermediate", engine="dask", workers=None)
    assert fingerprint(commands, bucket) == expected
    assert secrets_in(bucket) == []


def test_a_build_killed_in_the_middle_goes_on(commands, bucket, arguments: list[str], expected: str) -> None:
    def complete(stage: str) -> dict[str, tuple[str, object]]:
        listed = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=f"out/intermediate/{stage}-")
        found = listed.get("Contents", ())
        return {entry["Key"]: (entry["ETag"], entry["LastModified"]) for entry in found if ".json" in entry["Key"]}

    kept = [*arguments, "--keep-intermediate"]
    commands.kill_when(commands.build(*kept, workers=2), lambda: len(complete("split")) > 2)
    splits = complete("split")
    commands.kill_when(commands.build(*kept, workers=1), lambda: bool(complete("bucket")))
    buckets = complete("bucket")
    assert "out/manifest.json" not in bucket.names()
    assert "out/build.lock" in bucket.names()  # of the holder that was killed: it stands in nobody's way
    commands.must_build(*kept)
    for stage, before in (("split", splits), ("bucket", buckets)):
        after = complete(stage)
        assert len(after) > len(before)
        assert {name: after[name] for name in before} == before  # nothing complete was made again
    assert fingerprint(commands, bucket) == expected


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("in/", "none/"), "--vocab|matches no file|there is no such file"),
        (("--s3_secret_access_key=", "--s3_no_such_option="), "--s3_no_such_option is not an option of this program"),
    ],
)
def test_one_sentence(commands, bucket, arguments: list[str], change: tuple[str, str], sentence: str) -> None:
    said = commands.run(commands.build(*(word.replace(*change) for word in arguments)))
    lines = said.stderr.splitlines()
    assert (said.returncode, len(lines)) == (2, 1), said.stderr
    assert any(part in lines[0] for part in sentence.split("|"))
