"""The package that users install: complete, light to import, documented, in small files."""

import configparser
import dataclasses
import importlib
import inspect
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import topo_sim

ROOT = Path(__file__).parents[1]
NOT_PACKAGED = {"benchmarks", "build", "dist", "docs", "tests", "venv"}
MAX_LINES = 400


def listed_packages():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["options"]["packages"].split()


def folders():
    """Every folder of the tree that belongs to the package, the root included."""
    found, ahead = [], [ROOT]
    while ahead:
        folder = ahead.pop()
        found.append(folder)
        for child in folder.iterdir():
            skip = child.name in NOT_PACKAGED or child.name.startswith((".", "__")) or "." in child.name
            if child.is_dir() and not skip and not (child / "pyvenv.cfg").exists():
                ahead.append(child)
    return found


def package_of(folder):
    return ".".join(["topo_sim", *folder.relative_to(ROOT).parts])


SOURCES = sorted(path for folder in folders() for path in folder.glob("*.py"))
ROOMS = [name for name in listed_packages() if name != "topo_sim.topologies"]


def test_every_folder_with_code_is_packaged():
    with_code = {package_of(path.parent) for path in SOURCES}
    assert sorted(listed_packages()) == sorted(with_code | {"topo_sim.topologies"})


def test_every_folder_with_code_has_an_init():
    """Without one, doctests and import contracts would pass it over in silence."""
    folders_with_code = {path.parent for path in SOURCES}
    assert not [package_of(f) for f in folders_with_code if not (f / "__init__.py").exists()]


def test_the_root_ships_no_stray_module():
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "cli.py"}


def test_the_installed_package_is_this_tree():
    installed = {str(f.name) for f in resources.files("topo_sim").iterdir() if f.name.endswith(".py")}
    assert installed == {path.name for path in ROOT.glob("*.py")}
    for path in SOURCES:
        inside = resources.files("topo_sim").joinpath(*path.relative_to(ROOT).parts)
        assert inside.is_file(), f"{path.name} is not installed: pip install again"
        assert inside.read_bytes() == path.read_bytes(), f"{path.name} is stale: pip install again"


def test_tests_import_the_installed_package():
    assert Path(topo_sim.__file__).parent != ROOT


def test_version_is_that_of_the_metadata():
    assert metadata.version("topo-sim") == topo_sim.__version__


def test_extras_and_command_are_declared():
    assert set(metadata.metadata("topo-sim").get_all("Provides-Extra")) == {"all", "dev"}
    (script,) = metadata.entry_points(group="console_scripts", name="topo-sim")
    assert script.value == "topo_sim.cli:main"


def test_types_marker_is_installed():
    assert (resources.files("topo_sim") / "py.typed").is_file()


def test_topology_files_are_installed():
    installed = {f.name for f in (resources.files("topo_sim") / "topologies").iterdir()}
    shipped = {f.name for f in (ROOT / "topologies").iterdir() if f.suffix in {".json", ".yaml"}}
    assert shipped
    assert shipped <= installed


@pytest.mark.parametrize("room", ["collectives/measured", "collectives/models"])
def test_data_of_the_cost_models_is_installed(room):
    shipped = {f.name for f in (ROOT / room).iterdir() if f.suffix in {".csv", ".yaml"}}
    assert shipped
    inside = resources.files("topo_sim").joinpath(*room.split("/"))
    assert shipped <= {f.name for f in inside.iterdir()}


HEAVY = "networkx", "numba", "numpy", "matplotlib", "pydantic", "rich", "scipy", "yaml"


@pytest.mark.parametrize(
    "statement",
    [
        "import topo_sim.cli",
        "import topo_sim.cli; sys.argv = ['topo-sim', '--help']; topo_sim.cli.main()",
    ],
    ids=["import", "help"],
)
def test_the_command_line_starts_light(statement):
    code = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit as end:\n    assert not end.code, end\n"
        f"print('heavy:', *sorted(set({HEAVY}) & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "heavy:"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_exist_and_are_documented(room):
    module = importlib.import_module(room)
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        assert has_summary(thing), f"{room}.{name} has no summary line"


def has_summary(thing):
    doc = thing.__doc__ or ""
    if dataclasses.is_dataclass(thing) and doc.startswith(f"{thing.__name__}("):
        return False  # made up by @dataclass
    return inspect.cleandoc(doc).split("\n\n")[0].endswith((".", "?", ":"))
