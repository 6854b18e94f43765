"""The page of a chain says what the table says."""

from datetime import datetime
from pathlib import Path

import pytest

from cluster.chain import slurm
from cluster.chain.page import write_page
from cluster.chain.record import Record
from cluster.chain.road import read_chain
from cluster.chain.table import rows_of
from tests.cluster.chain.conftest import MadeUp

NOW = datetime(2026, 3, 4, 12, 0)


def page_of(made_up: MadeUp, every: float | None = None) -> str:
    record, chain = Record.read(made_up.output), read_chain(made_up.file)
    rows = rows_of(chain, record, slurm.queue(), NOW)
    return write_page(made_up.folder / "status.html", chain, rows, NOW, every).read_text()


def test_every_stage_with_its_state(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.finish("preprocess", 1)
    made_up.set_state(3, "FAILED", "NonZeroExitCode")
    page = page_of(made_up)
    assert '<th scope="row">preprocess</th><td>complete</td>' in page
    assert '<th scope="row">phase1</th><td><span class="bad">failed</span></td>' in page
    assert "<dt>waits</dt><dd>2</dd>" in page
    assert "04 Mar 2026, 12:00:00" in page
    assert "refresh" not in page


def test_while_jobs_go_on_a_browser_looks_again(made_up: MadeUp) -> None:
    made_up.submit()
    assert '<meta http-equiv="refresh" content="30">' in page_of(made_up, every=30.0)
    assert '<meta http-equiv="refresh" content="1">' in page_of(made_up, every=0.1)


def test_the_command_writes_it(made_up: MadeUp, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made_up.submit()
    page = tmp_path / "page.html"
    assert made_up.submit("status", "--html", str(page)) == 0
    assert "Chain of jobs" in page.read_text()
    assert " phase1 " in capsys.readouterr().out
    page.unlink()
    (made_up.folder / "jobs").write_text("")  # so that watching ends by itself
    assert made_up.submit("status", "--watch", "--html", str(page)) == 0
    assert "refresh" not in page.read_text()
    (tmp_path / "file").write_text("mine")
    assert made_up.submit("status", "--html", str(tmp_path / "file" / "page.html")) == 2
    assert "page.html" in capsys.readouterr().err
