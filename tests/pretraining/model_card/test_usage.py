"""The code of the cards stands in the documentation as it is; that it runs is tested where models are."""

import textwrap
from pathlib import Path

import pytest

from finetuning.kinds.registry import KINDS, kind_named
from pretraining.model_card.usage import USAGES


@pytest.mark.parametrize("architecture", USAGES)
def test_the_page_has_the_code(architecture: str, repository: Path) -> None:
    page = (repository / "docs" / "models.md").read_text(encoding="utf-8")
    code = USAGES[architecture].code
    assert f"\n\n{textwrap.indent(code, '    ')}\n" in page
    assert "FOLDER" in code


def test_every_kind_of_task_has_its_code() -> None:
    assert {kind_named(name).architecture for name in KINDS} == USAGES.keys() - {"BertForPreTraining"}
