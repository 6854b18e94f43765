"""A copy of the repository in which mutants are put on disk, so that whatever a test starts meets them too.

The working tree itself is never touched. Interpreters keep compiled files by a source's size and second, in which a
mutant may equal the original: no process that meets a mutant writes any. Numba keeps machine code of a loop with that
of every loop that it calls, and does not notice when the called one changes: it is forgotten, for the mutated module
and all that import it, before each mutant.
"""

import ast
import shutil
import subprocess
from pathlib import Path


class Shadow:
    """The copy, in a folder of its own. One mutant at a time."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.root = folder / "repository"
        self.scratch = folder / "scratch"
        self._repository = repository
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=repository, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (repository / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(repository / name, self.root / name)
        self._importers = _importers(self.root)

    def put(self, module: str, source: str) -> None:
        """Writes a module's source, mutated or the original."""
        self._forget_machine_code(module)
        (self.root / module).write_text(source, encoding="utf-8")

    def restore(self, module: str) -> None:
        """Puts the original back."""
        self._forget_machine_code(module)
        shutil.copy2(self._repository / module, self.root / module)

    def _forget_machine_code(self, module: str) -> None:
        seen, waiting = {module}, [module]
        while waiting:
            for importer in self._importers.get(waiting.pop(), ()):
                if importer not in seen:
                    seen.add(importer)
                    waiting.append(importer)
        for name in seen if is_compiled((self._repository / module).read_text(encoding="utf-8")) else ():
            path = self.root / name
            for kept in (path.parent / "__pycache__").glob(f"{path.stem}.*.nb?"):
                kept.unlink()


def is_compiled(source: str) -> bool:
    """Whether numba compiles functions of a module."""
    return "from preprocessing.compiled import" in source


def _importers(root: Path) -> dict[str, set[str]]:
    """Each module's file → the files that import it or a name from it."""
    files = {str(path.relative_to(root)) for path in root.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for file in files:
        for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    for target in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"):
                        if target in files:
                            found.setdefault(target, set()).add(file)
    return found
