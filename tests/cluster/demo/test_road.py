"""The demo as a command: what asks it to end, ends what it runs."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_and_what_it_runs(
    interrupt: Callable[[str, signal.Signals], tuple[int, str]], tmp_path: Path, number: signal.Signals
) -> None:
    child = f"import os, time; open(r'{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    program = (
        "import sys; from pathlib import Path; from cluster.demo import road; from cluster.stages.chain import Stage\n"
        f"road.stages = lambda output, *_: [Stage('long', 'long', (sys.executable, '-c', {child!r}), (), ())]\n"
        f"sys.exit(road.main(['--output', r'{tmp_path}']))"
    )
    code, said = interrupt(program, number)
    assert code == 130
    assert "run the same command again" in said
