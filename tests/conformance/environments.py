"""Environments: a consumer's requirements seldom go with another's, so that each has one of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

from conformance.check import Consumer

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout."""


def consumers() -> dict[str, Consumer]:
    """Return {module: consumer} of all consumers, in order of the modules' names."""
    import conformance.consumers as package

    names = sorted(info.name for info in iter_modules(package.__path__) if not info.name.startswith("_"))
    return {name: import_module(f"{package.__name__}.{name}").CONSUMER for name in names}


def python_of(consumer: Consumer, folder: Path, log: Path) -> Path:
    """Return the Python of a consumer's environment, which is made if it is not there.

    Args:
        consumer: the consumer.
        folder: where environments are. One is used again while the checkout and what is installed are the same.
        log: what is told of the installation is appended here.

    Raises:
        subprocess.CalledProcessError: if something can't be installed.
    """
    wanted = repr((str(ROOT), sys.version, consumer.requirements, consumer.alone))
    made = folder / f"{consumer.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python, done = made / "bin" / "python", made / "installed"
    if done.exists():
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    commands = [[sys.executable, "-m", "venv", "--clear", str(made)], [*pip, "-e", str(ROOT), *consumer.requirements]]
    if consumer.alone:
        commands.append([*pip, "--no-deps", *consumer.alone])
    with log.open("ab") as told:
        for command in commands:
            subprocess.run(command, check=True, stdout=told, stderr=told)
    done.touch()
    return python


def surroundings(folder: Path) -> dict[str, str]:
    """Return the variables that a consumer runs with: it finds these modules, and no hub.

    Args:
        folder: where what it caches is kept, which is gone afterwards: it may hold rows.
    """
    # ``tests`` itself is not imported as a package: the wheels of several consumers bring one of that name.
    paths = os.pathsep.join((str(ROOT / "tests"), str(ROOT)))
    return os.environ | {
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": paths,
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_OFFLINE": "1",
        "WANDB_MODE": "offline",
        "XDG_CACHE_HOME": str(folder),
    }
