"""The beam command: engines become Beam options, everything else passes through, the file runs as __main__."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.beam import main, parse
from cluster.engines.options import engine_options
from cluster.errors import ClusterError


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    file = tmp_path / "pipeline.py"
    file.write_text("import json, sys\nprint(json.dumps([__name__, sys.argv[1:]]))\n")
    return file


def test_local_engine_is_the_default_and_never_the_bare_direct_runner(pipeline: Path) -> None:
    file, arguments = parse(["run", str(pipeline), "--output", "shards/", "--workers", "3"])
    assert file == pipeline
    assert arguments[:2] == ["--output", "shards/"]
    assert "--runner=FnApiRunner" in arguments
    assert "--direct_num_workers=3" in arguments
    assert "--direct_running_mode=multi_processing" in arguments


def test_one_worker_stays_in_the_process(pipeline: Path) -> None:
    _, arguments = parse(["run", str(pipeline), "--workers", "1"])
    assert "--direct_running_mode=in_memory" in arguments


def test_options_that_were_given_win(pipeline: Path) -> None:
    _, arguments = parse(["run", str(pipeline), "--workers", "4", "--direct_running_mode=multi_threading"])
    assert [a for a in arguments if a.startswith("--direct_running_mode")] == ["--direct_running_mode=multi_threading"]


def test_a_named_runner_is_left_alone(pipeline: Path) -> None:
    _, arguments = parse(["run", str(pipeline), "--runner=PortableRunner", "--job_endpoint=embed"])
    assert arguments == ["--runner=PortableRunner", "--job_endpoint=embed"]


@pytest.mark.parametrize(
    ("engine", "given", "complaint"),
    [
        ("fnord", [], "unknown"),
        ("local", ["--runner=X"], "drop one"),
        ("dask", ["--dask_scheduler_file=/nonexistent.json"], "no such file"),
        ("flink", [], "--flink_master"),
        ("flink", ["--flink_master=h:1"], "--flink_job_server_jar"),
        ("flink", ["--flink_master=h:1", "--flink_job_server_jar=/none.jar"], "no such file"),
        ("spark", ["--spark_master_url=spark://h:1"], "--spark_job_server_jar"),
    ],
)
def test_what_an_engine_lacks_is_said(engine: str, given: list[str], complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        engine_options(engine, None, given)


def test_flink_and_spark_options(tmp_path: Path) -> None:
    jar = tmp_path / "job-server.jar"
    jar.touch()
    flink = engine_options("flink", 8, ["--flink_master", "h:8081", f"--flink_job_server_jar={jar}"])
    assert {"--runner=FlinkRunner", "--parallelism=8", "--environment_type=EXTERNAL"} <= set(flink)
    assert "--sdk_worker_parallelism=0" in flink
    for engine, given in (
        ("spark", ["--spark_master_url=spark://h:7077", "--spark_job_server_jar", str(jar)]),
        ("dask", ["--dask_client_address=tcp://h:1"]),
    ):
        with pytest.raises(ClusterError, match="or drop --workers"):
            engine_options(engine, 8, given)
    spark = engine_options("spark", None, ["--spark_master_url=spark://h:7077", "--spark_job_server_jar", str(jar)])
    assert {"--runner=SparkRunner", "--environment_config=localhost:50000"} <= set(spark)


def test_dask_gets_one_element_per_partition() -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    assert "--dask_partition_size=1" in engine_options("dask", None, ["--dask_client_address=tcp://h:1"])


def test_the_installed_command_runs_the_file_as_main(pipeline: Path) -> None:
    command = Path(sys.executable).parent / "beam"
    run = subprocess.run([command, "run", pipeline, "--answer", "42"], capture_output=True, text=True, check=True)
    name, arguments = json.loads(run.stdout)
    assert name == "__main__"
    assert arguments[:2] == ["--answer", "42"]


@pytest.mark.parametrize("words", [("run", "--help"), ("run", "-h"), ("run", "--engine", "local", "--help")])
def test_without_a_file_help_is_that_of_the_command(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 0
    assert "--workers N" in capsys.readouterr().out


@pytest.mark.parametrize("given", [("--help",), ("--engine", "flink", "-h"), ("--help", "--out_put", "x")])
def test_after_the_file_help_is_the_files(pipeline: Path, given: tuple[str, ...]) -> None:
    file, arguments = parse(["run", str(pipeline), *given])
    assert file == pipeline
    assert arguments == [word for word in ("--out_put", "x", "--help", "-h") if word in given]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "required: command"),
        (("run",), "required: FILE"),
        (("run", "FILE", "--engine", "fnord"), "invalid choice: 'fnord'"),
        (("run", "FILE", "--workers", "many"), "--workers: invalid int value"),
        (("run", "FILE", "--workers", "0"), "--workers 0: must be at least 1"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    pipeline: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(pipeline) if word == "FILE" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("beam: ")
    assert said.count("\n") == 1
    assert message in said


def test_a_missing_file_is_one_sentence_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "/nonexistent/pipeline.py"]) == 2
    assert capsys.readouterr().err == "beam: beam run /nonexistent/pipeline.py: no such file\n"


def test_sigterm_lets_the_file_end_in_order(tmp_path: Path) -> None:
    """And once: another, or the same sent to a whole group, does not disturb it."""
    file = tmp_path / "waiting.py"
    file.write_text(
        "import os, signal, sys, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    os.kill(os.getpid(), signal.SIGTERM); print('in order'); sys.exit(130)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "cluster.beam", "run", file], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "in order\n", "")


def test_an_exit_code_of_the_file_is_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "failing.py"
    file.write_text("raise SystemExit(7)\n")
    assert subprocess.run([sys.executable, "-m", "cluster.beam", "run", file], check=False).returncode == 7
