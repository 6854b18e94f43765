"""Beam's options come to the workers, and nowhere else."""

import pickle
import subprocess
import sys

import pytest

from preprocessing.build.configuration import BuildConfiguration, Job
from preprocessing.storage import RemotePath, current_options, options, use_arguments
from preprocessing.storage.options import StorageOptions

SECRET = "--s3_secret_access_key=not-to-be-seen"
READ = (
    "import pickle, sys; job = pickle.load(sys.stdin.buffer); job.storage.apply();"
    "from preprocessing.storage import RemotePath; print(RemotePath(sys.argv[1]).read_text())"
)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_in_use", options.current_options())


def job() -> Job:
    return Job(RemotePath("s3://b/x"), BuildConfiguration(tokenizer_fingerprint="t", buckets=1), "c", "i")


def test_a_job_carries_them() -> None:
    use_arguments(["--s3_endpoint_url=http://x", SECRET])
    sent = pickle.dumps(job())
    use_arguments([])
    pickle.loads(sent).storage.apply()
    assert current_options().arguments == ("--s3_endpoint_url=http://x", SECRET)


def test_a_job_without_any_leaves_those_of_the_process() -> None:
    use_arguments([])
    sent = pickle.dumps(job())
    use_arguments([SECRET])
    pickle.loads(sent).storage.apply()
    assert current_options().arguments == (SECRET,)


def test_they_are_neither_shown_nor_part_of_the_configuration() -> None:
    use_arguments([])
    without = job()
    use_arguments([SECRET])
    with_secret = job()
    assert "not-to-be-seen" not in repr(with_secret)
    assert with_secret.configuration.hash == without.configuration.hash
    assert with_secret.metadata() == without.metadata()


def test_another_process_reads_with_what_the_job_carries(bucket) -> None:
    address = bucket.put("x.txt", b"read")
    command = [sys.executable, "-c", READ, address]
    done = subprocess.run(command, input=pickle.dumps(job()), capture_output=True, check=False)
    assert done.stdout == b"read\n", done.stderr


def test_beam_is_not_imported_for_them() -> None:
    program = (
        "import sys; from preprocessing.storage import location, use_arguments; use_arguments(['--s3_region_name=x']);"
        "location('s3://b/x') / 'y'; sys.exit('apache_beam' in sys.modules or 'pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_options_that_beam_gave_its_worker_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.value_provider import RuntimeValueProvider

    use_arguments([])
    given = object()
    monkeypatch.setattr(RuntimeValueProvider, "runtime_options", given)
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    assert options.beam_file_systems()._pipeline_options is None
    use_arguments(["--s3_region_name=here"])
    told = options.beam_file_systems()._pipeline_options
    assert told is options.pipeline_options(StorageOptions(("--s3_region_name=here",)))
