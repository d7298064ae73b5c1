"""The shape of the package: layers, sizes, the README's tree, a light import, errors that pickle, clean text."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from longtake import errors

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "longtake"

LAYERS = {
    name: height
    for height, names in enumerate(
        [
            ["errors"],
            ["media"],
            ["types", "clock", "prompts"],
            ["registry", "store", "changes"],
            ["ledger", "compute", "page"],
            ["video", "models"],
            ["agents", "scoring"],
            ["datagen", "eval"],
            ["surfaces", "__init__"],
            ["__main__"],
        ]
    )
    for name in names
}
"""A module imports from lower layers and from its own folder only. A new folder needs a layer here."""

MAX_LINES, MAX_FUNCTION_LINES = 400, 60
LONGER_FUNCTIONS: dict[str, int] = {}
"""``file:function`` -> lines, for what is over the limit today. This list may only shrink."""


def modules() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def place(path: Path) -> list[str]:
    return list(path.relative_to(SRC).with_suffix("").parts)


def test_imports_point_down() -> None:
    wrong: list[str] = []
    for path in modules():
        here = place(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = here[: len(here) - node.level] + (node.module.split(".") if node.module else [])
                targets = [base[0]] if base else [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "longtake":
                targets = (node.module or "").split(".")[1:2]
            elif isinstance(node, ast.Import):
                names = [alias.name.split(".") for alias in node.names]
                targets = [name[1] for name in names if name[0] == "longtake" and len(name) > 1]
            else:
                continue
            for target in targets:
                if target != here[0] and LAYERS[target] >= LAYERS[here[0]]:
                    wrong.append(f"{'/'.join(here)} imports {target}")
    assert not wrong


def test_every_folder_has_a_layer() -> None:
    assert {place(path)[0] for path in modules()} <= set(LAYERS)


def test_files_and_functions_are_small() -> None:
    too_long: list[str] = []
    for path in modules():
        text = path.read_text(encoding="utf-8")
        name = "/".join(place(path))
        if (lines := text.count("\n")) > MAX_LINES:
            too_long.append(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _body_lines(node)
                if lines > LONGER_FUNCTIONS.get(f"{name}:{node.name}", MAX_FUNCTION_LINES):
                    too_long.append(f"{name}:{node.name}: {lines} lines")
    assert not too_long


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body: a long signature with its help texts is a table, not logic."""
    return (node.end_lineno or 0) - node.body[0].lineno + 1


def test_readme_shows_the_tree_as_it_is() -> None:
    block = re.search(r"<!-- tree -->\n```\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None, "README.md has no tree"
    shown: dict[str, str] = {}
    folders: list[str] = []
    for line in block[1].splitlines()[1:]:
        match = re.match(r"((?:│   |    )*)(?:├── |└── )(\S+)\s+(\S.*)$", line)
        assert match is not None, f"no purpose, or not a tree line: {line!r}"
        depth, name = len(match[1]) // 4, match[2]
        folders = [*folders[:depth], name.rstrip("/")]
        if not name.endswith("/"):
            shown["/".join(folders)] = match[3]
    on_disk = {str(path.relative_to(SRC)) for path in modules() if path.name != "__init__.py" or path.parent == SRC}
    assert set(shown) == on_disk


def test_importing_longtake_is_light() -> None:
    code = (
        "import sys, longtake\n"
        "heavy = {'torch', 'transformers', 'openai', 'cv2', 'av', 'aiohttp', 'rapidocr', 'PIL', 'pydantic', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_longtake_takes_under_0_4_s() -> None:
    code = "import time; begin = time.perf_counter(); import longtake; print(time.perf_counter() - begin)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.4


def test_the_core_loads_without_torch_or_extras() -> None:
    code = (
        "import sys, longtake\n"
        "[getattr(longtake, name) for name in longtake.__all__]\n"
        "print(sorted({'torch', 'transformers', 'cv2', 'rapidocr', 'faster_whisper', 'yt_dlp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_pickle_and_are_in_the_drawn_tree(name: str) -> None:
    error = getattr(errors, name)("got a, allowed b, do c")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert isinstance(error, errors.LongtakeError)
    assert re.search(rf"\b{name}\b", errors.__doc__ or "")


def test_every_error_class_is_exported() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert classes == set(errors.__all__)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix in {".py", ".md", ".toml", ".sh", ".yaml", ""}]


def test_no_absolute_path_of_a_machine_in_the_tree() -> None:
    home = re.compile("(?<![\\w.])/(?:" + "|".join(["work", "root", "home/[a-z]", "Users/[a-z]"]) + ")/")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:80]}"
        for path in tracked()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if home.search(line)
    ]
    assert not found


def test_recipes_parse() -> None:
    recipes = sorted((ROOT / "recipes").iterdir())
    assert recipes
    for recipe in recipes:
        text = recipe.read_text(encoding="utf-8")
        if recipe.suffix == ".py":
            compile(text, str(recipe), "exec")
        elif recipe.suffix == ".toml":
            tomllib.loads(text)
        else:
            subprocess.run(["bash", "-n", str(recipe)], check=True)


def test_prompts_are_rendered_by_someone() -> None:
    used = "\n".join(path.read_text(encoding="utf-8") for path in SRC.rglob("*.py"))
    unused = [p.stem for p in SRC.glob("*/prompts/*.md") if f'"{p.stem}"' not in used]
    assert not unused
