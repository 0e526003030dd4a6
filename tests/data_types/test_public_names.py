"""Every public name of the official client's media is here, with its parameters; each has an example, which is true."""

from __future__ import annotations

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import media_surface
import pytest
from peer import peer_python

import wandb

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Dict[str, Optional[List[str]]]] = json.loads((HERE / "official_surface.json").read_text())

# Of the client's inside, or of services that this one doesn't have.
_NOT_HERE = {"_SavedModel"}
# Parameters that are called otherwise, and that nobody names.
_POSITIONAL = {"to_json(run)", "to_json(artifact_or_run)", "captions(audio_list)"}


@pytest.mark.parametrize("name", sorted(set(OFFICIAL) - _NOT_HERE))
def test_members(name: str) -> None:
    own = media_surface.surface()
    assert name in own
    missing = []
    for member, expected in OFFICIAL[name].items():
        if member not in own[name]:
            missing.append(member)
        elif expected is not None and own[name][member] is not None:
            missing += [f"{member}({one})" for one in set(expected) - set(own[name][member] or ())]
    assert set(missing) - _POSITIONAL == set()


@pytest.mark.parametrize("name", sorted(set(wandb.data_types.__all__)))
def test_the_example_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    value = getattr(wandb.data_types, name)
    test = doctest.DocTestParser().get_doctest(value.__doc__ or "", {"wandb": wandb}, name, None, 0)
    assert test.examples or name in ("BatchableMedia", "Edge", "Media")
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize(
    "module", ["_base", "_cells", "_content", "_json", "_optional", "_trace_tree", "_column_types", "_table"]
)
def test_the_examples_of_modules(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert doctest.testmod(importlib.import_module(f"wandb.data_types.{module}")).failed == 0


@pytest.mark.parametrize("path", media_surface.PATHS)
def test_libraries_find_the_classes_by_the_paths_that_they_import(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


def test_importing_wandb_loads_no_media() -> None:
    script = (
        "import sys, wandb\n"
        "run = wandb.init(mode='offline', settings={'silent': True}); run.log({'a': [1, {'b': 2}]}); run.finish()\n"
        "kinds = ('wandb.data_types', 'wandb.plot', 'numpy', 'PIL')\n"
        "loaded = [name for name in sys.modules if name.startswith(kinds)]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("make", "library"),
    [
        ("wandb.Audio([0.0], sample_rate=8000)", "soundfile"),
        ("wandb.Video(numpy.zeros((1, 3, 4, 4)), format='mp4')", "av"),
        ("wandb.Image('x.png')", "pillow"),
        ("wandb.Molecule.from_smiles('C')", "rdkit"),
        ("wandb.data_types.Bokeh(1)", "bokeh"),
        ("wandb.Histogram([1, 2])", "numpy"),
        ("wandb.plot.roc_curve([0], [[1]])", "scikit-learn"),
        ("wandb.Table(columns=['a'], data=[[1]]).get_dataframe()", "pandas"),
    ],
)
def test_a_missing_library_is_named_with_what_to_do(make: str, library: str, tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    missing = ["soundfile", "av", "PIL", "rdkit", "bokeh", "sklearn", "pandas"]
    lines = [
        "import sys",
        f"sys.modules.update(dict.fromkeys({missing + ['numpy'] * (library == 'numpy')}))",
        "import wandb" if library == "numpy" else "import numpy, wandb",
        "try:",
        f"    {make}",
        "except wandb.Error as error:",
        "    print(error)",
    ]
    script = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"needs {library}: pip install {library}" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.peer
def test_the_list_is_what_the_official_client_says() -> None:
    python = peer_python("0.31.0", "numpy", "pillow", "soundfile")
    said = subprocess.run([str(python), str(HERE / "media_surface.py")], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == OFFICIAL
