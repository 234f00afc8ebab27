"""The layout of the repository: packages, who may import whom, generated code, sizes of files, signposts."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import raygrad

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "raygrad"
FOLDERS = ("proto", "client", "scheduler", "workers")
LONGEST_FILE = 400  # lines

MAY_IMPORT = {
    "proto": set(),
    "client": {"proto"},
    "workers": {"proto"},
    "scheduler": {"proto", "workers"},
    "raygrad": {"proto", "client"},
}
MAY_ALSO_IMPORT = {"client/local.py": {"scheduler"}}

# Where a heavy or optional distribution may be named; everything else stays free of it. A module that
# has grown into a package keeps its right: workers/kernels/torch.py stands for workers/kernels/torch/ too.
MAY_NAME = {
    "ray": {"scheduler/ray_cluster.py", "scheduler/ray_workers.py", "scheduler/cli.py", "workers/actor.py"},
    "grpc": {"scheduler/service.py", "scheduler/server.py", "client/transport.py"},
    "torch": {"workers/kernels/torch.py", "client/importers/torch.py"},
    "onnx": {"client/importers/onnx.py"},
}
EXTRAS = ("torch", "onnx", "mlxtend")


@dataclass(frozen=True)
class Import:
    """One imported name, made absolute."""

    name: str
    relative: bool


def is_generated(path: Path) -> bool:
    return path.parent == ROOT / "proto" / "v1" and "_pb2" in path.name


def product_modules() -> list[Path]:
    """Every hand-written module of the four folders and of the import package."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if not is_generated(path)]
    return sorted([*found, PACKAGE / "__init__.py"])


def package_of(path: str) -> str:
    """The package that a file's relative imports start from: proto/v1/a.py → raygrad.proto.v1."""
    parents = Path(path.removeprefix("src/")).parent.parts
    return ".".join(parents if parents[0] == "raygrad" else ("raygrad", *parents))


def is_part_of(path: str, module: str) -> bool:
    return path == module or path.startswith(module.removesuffix(".py") + "/")


def imports_of(path: str, source: str) -> Iterator[Import]:
    """What a module imports, at the top or inside a function, by statement or by `import_module("…")`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = package_of(path).split(".")
                base = ".".join(filter(None, [*package[: len(package) - node.level + 1], base]))
            yield from (Import(f"{base}.{alias.name}", node.level > 0) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (
                Import(str(name.value), False) for name in node.args if isinstance(name, ast.Constant)
            )


def broken_rules(path: str, source: str) -> list[str]:
    """The import rules that a module at `path` (relative to the repository) breaks, in words."""
    return [words for found in imports_of(path, source) for words in _broken_by(path, found)]


def _broken_by(path: str, found: Import) -> Iterator[str]:
    root, *rest = found.name.split(".")
    if root in FOLDERS and not found.relative:
        yield f"{found.name}: a folder of ours is imported as raygrad.{root}"
    elif root == "raygrad":
        yield from _broken_by_own(path, found, rest[0])
    else:
        for foreign, places in MAY_NAME.items():
            if foreign in (root, *rest) and not any(is_part_of(path, place) for place in places):
                yield f"{found.name}: {foreign} belongs in {', '.join(sorted(places))}"


def _broken_by_own(path: str, found: Import, target: str) -> Iterator[str]:
    own = Path(path.removeprefix("src/")).parts[0]
    if found.relative != (target == own):
        yield f"{found.name}: imports are relative within a folder, absolute across folders"
    if target != own and target not in MAY_IMPORT[own] | MAY_ALSO_IMPORT.get(path, set()):
        yield f"{found.name}: {own} may not import {target}"


@pytest.mark.parametrize("path", product_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_rules(path: Path) -> None:
    assert broken_rules(path.relative_to(ROOT).as_posix(), path.read_text()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("proto/graph.py", "from raygrad.client.session import Session"),
        ("proto/graph.py", "from raygrad.proto.tensor import DType"),
        ("proto/operators/base.py", "from ...workers import store"),
        ("proto/graph.py", "from ..workers.store import Store"),
        ("proto/graph.py", "import proto.tensor"),
        ("client/session.py", "def late():\n    from raygrad import scheduler"),
        ("client/session.py", "from raygrad import __version__"),
        ("workers/executor.py", "import raygrad.scheduler.session"),
        ("workers/executor.py", "import ray"),
        ("scheduler/session.py", "from grpc.aio import insecure_channel"),
        ("workers/kernels/common.py", "import array_api_compat.torch"),
        ("workers/kernels/common.py", "import importlib\nimportlib.import_module('torch')"),
        ("client/importers/torch.py", "import onnx"),
    ],
)
def test_the_rules_catch(path: str, source: str) -> None:
    assert broken_rules(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("proto/operators/base.py", "from ..tensor import DType"),
        ("proto/graph.py", "from . import tensor"),
        ("client/local.py", "from raygrad.scheduler.session import Session"),
        ("scheduler/planner.py", "from raygrad.workers.program import Program"),
        ("scheduler/cli.py", "import ray"),
        ("workers/kernels/torch.py", "import torch.nn.functional as F"),
        ("workers/kernels/torch/convolution.py", "import torch"),
        ("workers/kernels/base.py", "from . import torch"),
        ("src/raygrad/__init__.py", "from raygrad.client.session import Session"),
    ],
)
def test_the_rules_allow(path: str, source: str) -> None:
    assert broken_rules(path, source) == []


def scripts_and_tests() -> list[Path]:
    return sorted(
        path for place in ("tests", "benchmarks", "examples") for path in (ROOT / place).rglob("*.py")
    )


@pytest.mark.parametrize("path", scripts_and_tests(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_loaded_under_two_names(path: Path) -> None:
    """From the repository's root `import workers` would work too, and make a second copy of every class."""
    found = imports_of(path.relative_to(ROOT).as_posix(), path.read_text())
    assert [each.name for each in found if each.name.split(".")[0] in FOLDERS] == []


def test_packages_are_the_folders_on_disk() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    on_disk = {package_of(path.relative_to(ROOT).as_posix()) for path in modules}
    assert sorted(listed) == sorted({"raygrad", *on_disk})


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_import_package_links_to_the_folder(folder: str) -> None:
    assert (PACKAGE / folder).readlink() == Path("../..") / folder


def test_one_version() -> None:
    assert raygrad.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_proto_stays_free_for_proto_plus() -> None:
    """google-api-core imports proto-plus as `proto`; our folder of that name must not stand in its way."""
    assert not (ROOT / "proto" / "__init__.py").exists()
    subprocess.run([sys.executable, "-c", "import proto; proto.Message"], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("folder", ["client", "scheduler", "workers"])
@pytest.mark.parametrize("statement", ["import {0}", "import {0}.errors", "from {0} import tape"])
def test_a_folder_is_not_importable_under_its_bare_name(folder: str, statement: str) -> None:
    done = run_here(statement.format(folder))
    assert done.returncode
    assert f"the folder `{folder}` is the package raygrad.{folder}: `import raygrad`" in done.stderr


BARE = """
import importlib, pathlib, sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p or not pathlib.Path(p, "proto").exists()]
wrong = []
for path in sorted(pathlib.Path("proto").rglob("*.py")):
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    try:
        importlib.import_module(name)
        wrong.append(name)
    except ImportError:
        pass
print(wrong)
"""


def test_no_module_of_proto_is_importable_under_its_bare_name() -> None:
    """Without proto-plus the folder would be a namespace package, and each class exist twice."""
    done = run_here(BARE, "-S")
    assert done.stdout == "[]\n", done.stderr


def run_here(program: str, *options: str, at: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A program in the repository's root, whose folder is the first on its path."""
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(command, cwd=at, timeout=60, capture_output=True, text=True, check=False)


PRINT = "import raygrad as rg; print(rg.__file__, rg.Builder.__module__)"


def test_a_program_in_the_repositorys_root_gets_the_package() -> None:
    assert run_here(PRINT).stdout.split() == [str(PACKAGE / "__init__.py"), "raygrad.proto.builder"]


def test_a_program_beside_a_checkout_gets_the_package(tmp_path: Path) -> None:
    """The folder is called `raygrad` as the package is; without a finder of setuptools it comes last."""
    (tmp_path / "raygrad").symlink_to(ROOT, target_is_directory=True)
    done = run_here(PRINT, at=tmp_path)
    assert done.stdout.split() == [str(PACKAGE / "__init__.py"), "raygrad.proto.builder"], done.stderr


def test_importing_raygrad_imports_no_extra(tmp_path: Path) -> None:
    program = f"import sys, raygrad; print([name for name in {EXTRAS} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_a_local_session_imports_neither_ray_nor_grpc(tmp_path: Path) -> None:
    program = """
import sys, raygrad as rg
network = rg.networks.siamese()
with rg.local(network.graph, backend="numpy") as session:
    session.put(network.parameters)
print([name for name in ("ray", "grpc") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """What is committed beside raygrad.proto is what `make proto` writes."""
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Iraygrad/proto=proto"]
    command += [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([*command, "raygrad/proto/v1/raygrad.proto"], cwd=ROOT, check=True, timeout=60)
    fresh = {path.name: path.read_text() for path in (tmp_path / "raygrad" / "proto" / "v1").iterdir()}
    committed = {
        path.name: path.read_text() for path in (ROOT / "proto" / "v1").glob("*_pb2*") if path.is_file()
    }
    assert fresh == committed


@pytest.mark.parametrize("path", product_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def signposted_folders() -> list[Path]:
    """Every folder of the repository but hidden ones, links, and what builds and tools leave."""
    left_by_tools = re.compile(r"\..*|__pycache__|build|dist|.*\.egg-info")
    found: list[Path] = []
    todo = [ROOT]
    while todo:
        inside = [path for path in todo.pop().iterdir() if path.is_dir() and not path.is_symlink()]
        kept = [path for path in inside if not left_by_tools.fullmatch(path.name) and any(path.iterdir())]
        found += kept
        todo += kept
    return sorted(found)


@pytest.mark.parametrize("folder", signposted_folders(), ids=lambda path: str(path.relative_to(ROOT)))
def test_folders_say_what_belongs_there(folder: Path) -> None:
    package = folder / "__init__.py"
    says = package.exists() and ast.get_docstring(ast.parse(package.read_text()))
    assert says or (folder / "README.md").exists()
