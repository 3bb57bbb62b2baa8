"""The virtual environment that every target of make begins with: made on an interpreter that fits, and complete, or made so."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestration.settings import PROJECT

WHEEL = {
    "tiny/__init__.py": "",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
WHEEL["tiny-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in [*WHEEL, "tiny-1.0.dist-info/RECORD"])
LOCK = "tiny==1.0\nelsewhere==1.0 ; sys_platform == 'win32'\nolder==1.0 ; python_full_version < '3.11'\n"
TOO_NEW = (
    '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.14.0" && exit\nexit 1\n'  # whatever it is asked, it does not fit
)
SHIM = "#!/bin/sh\nexit 127\n"


class Checkout:
    """A folder with the scripts, a lock of one package that needs no network, and a PATH of its own."""

    def __init__(self, folder: Path):
        self.root, self.commands = folder / "checkout", folder / "bin"
        shutil.copytree(PROJECT / ".ci", self.root / ".ci")
        (self.root / "requirements.lock").write_text(LOCK)
        with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
            for name, text in WHEEL.items():
                wheel.writestr(name, text)
        self.commands.mkdir()
        for name in ("bash", "sh", "dirname", "readlink", "rm"):
            (self.commands / name).symlink_to(shutil.which(name))
        self.environment = {"PATH": str(self.commands), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}

    def command(self, name: str, text: str) -> None:
        path = self.commands / name
        path.write_text(text)
        path.chmod(0o755)

    def make(self) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.root / ".ci" / "environment"], env=self.environment, capture_output=True, text=True, check=False
        )

    @property
    def packages(self) -> Path:
        [packages] = (self.root / ".venv" / "lib").glob("python*/site-packages")
        return packages

    def has_tiny(self) -> bool:
        python = self.root / ".venv" / "bin" / "python"
        return subprocess.run([python, "-c", "import tiny"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def without_interpreter(checkout) -> subprocess.CompletedProcess:
    checkout.command("python3", TOO_NEW)
    checkout.command("python3.13", SHIM)
    return checkout.make()


@pytest.fixture(scope="module")
def by_uv(checkout, without_interpreter) -> subprocess.CompletedProcess:
    """uv stands for the interpreter that it would bring along."""
    checkout.command("uv", f'#!/bin/sh\necho "$@" > {checkout.root}/uv.txt\nexec "{sys.executable}" -m venv .venv\n')
    return checkout.make()


def test_without_an_interpreter_that_fits_there_is_one_sentence(checkout, without_interpreter):
    assert without_interpreter.returncode == 1
    assert without_interpreter.stderr == (
        "Tokentrail needs Python 3.11, 3.12 or 3.13 with its module venv, and none is on PATH (Python 3.14.0): install one "
        "(apt install python3.13-venv, brew install python@3.13), or install uv, and run make again.\n"
    )
    assert not (checkout.root / ".venv").exists()


def test_uv_brings_an_interpreter_along(checkout, by_uv):
    assert (by_uv.returncode, checkout.has_tiny()) == (0, True)
    assert (checkout.root / "uv.txt").read_text() == "venv --quiet --seed --python >=3.11,<3.14 .venv\n"


def test_what_is_complete_is_left_alone(checkout, by_uv):
    before = {path: path.stat().st_mtime_ns for path in checkout.packages.iterdir()}
    again = checkout.make()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in checkout.packages.iterdir()} == before


def test_what_a_newer_lock_adds_is_installed(checkout, by_uv):
    shutil.rmtree(checkout.packages / "tiny")
    shutil.rmtree(checkout.packages / "tiny-1.0.dist-info")
    (checkout.packages / "another").mkdir()
    again = checkout.make()
    assert (again.returncode, checkout.has_tiny()) == (0, True)
    assert (checkout.packages / "another").exists()  # installed into what was there


@pytest.mark.parametrize("damage", ["a package's folder", "an installation that was stopped", "the interpreter"])
def test_what_is_broken_is_made_anew(checkout, by_uv, damage):
    checkout.command("python3.12", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    if damage == "a package's folder":
        shutil.rmtree(checkout.packages / "tiny")
    elif damage == "an installation that was stopped":
        (checkout.packages / "tiny-1.0.dist-info" / "RECORD").unlink()
    else:
        python = checkout.root / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to("/gone/python")
    again = checkout.make()
    assert again.returncode == 0, again.stderr
    assert checkout.has_tiny()


def test_a_link_to_an_environment_is_not_replaced(tmp_path):
    checkout = Checkout(tmp_path)
    (checkout.root / ".venv").symlink_to(tmp_path / "gone")
    refused = checkout.make()
    assert refused.returncode == 1
    assert refused.stderr.startswith(f".venv is a link to {tmp_path / 'gone'}, which cannot be used: ")


def test_the_versions_are_those_of_the_project():
    project = (PROJECT / "pyproject.toml").read_text()
    [(oldest, too_new)] = re.findall(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', project)
    assert f"OLDEST, TOO_NEW = (3, {oldest}), (3, {too_new})" in (PROJECT / ".ci" / "complete.py").read_text()
    script = (PROJECT / ".ci" / "environment").read_text()
    assert f"(3, {oldest}) <= sys.version_info[:2] < (3, {too_new})" in script
    for minor in range(int(oldest), int(too_new)):
        assert f"python3.{minor}" in script
