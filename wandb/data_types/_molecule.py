"""Molecules: files of the formats that the viewer reads, and what RDKit makes of others."""

from __future__ import annotations

import io
import os
from typing import Any, Optional, Sequence, Union

from ..errors import DataError
from ._base import BatchableMedia
from ._content import Content
from ._html import check_text_size, read_text
from ._optional import load
from ._sink import Json

_RDKIT = "rdkit"


class Molecule(BatchableMedia):
    """A molecule in three dimensions.

    >>> import io, wandb
    >>> atom = "ATOM      1  N   ASP A   1      26.1  53.2  44.6\\n"
    >>> wandb.Molecule(io.StringIO(atom), file_type="pdb", caption="an atom").get_media_subdir()
    'media/molecule'

    data_or_path: the path of a file in one of `SUPPORTED_TYPES`, or an open file with its `file_type`.
    caption: shown beside it.

    Raises DataError.
    """

    _log_type = "molecule-file"
    _folder = "media/molecule"
    SUPPORTED_TYPES = frozenset({"pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf"})
    SUPPORTED_RDKIT_TYPES = frozenset({"mol", "sdf"})

    def __init__(self, data_or_path: Any, caption: Optional[str] = None, file_type: Optional[str] = None) -> None:
        super().__init__(caption)
        if not isinstance(data_or_path, (str, os.PathLike)) and isinstance(getattr(data_or_path, "name", None), str):
            data_or_path = data_or_path.name  # an open file that has a path
        if hasattr(data_or_path, "read"):
            if file_type not in self.SUPPORTED_TYPES:
                raise DataError(f"wandb.Molecule: an open file needs file_type, one of {_listed(self.SUPPORTED_TYPES)}")
            encoded = read_text(data_or_path).encode()
            check_text_size(len(encoded), "wandb.Molecule")
            self._content = Content.of_bytes(encoded, f".{file_type}")
        elif isinstance(data_or_path, (str, os.PathLike)):
            if os.path.splitext(data_or_path)[1][1:] not in self.SUPPORTED_TYPES:
                raise DataError(f"wandb.Molecule: {data_or_path} is none of {_listed(self.SUPPORTED_TYPES)}")
            self._content = Content.of_file(data_or_path)
        else:
            raise DataError(f"wandb.Molecule: a path or an open file is expected, not {type(data_or_path).__name__}")

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: Any,
        caption: Optional[str] = None,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Molecule:
        """A molecule of RDKit's, or a file that RDKit reads (mol, sdf).

        convert_to_3d_and_optimize: find out where the atoms are, with so many iterations at most; that may take long.
        """
        chemistry = load("rdkit.Chem", _RDKIT, "Molecule.from_rdkit")
        if isinstance(data_or_path, (str, os.PathLike)):
            molecule = _read(chemistry, os.fspath(data_or_path))
        elif isinstance(data_or_path, chemistry.rdchem.Mol):
            molecule = data_or_path
        else:
            raise DataError(f"from_rdkit: {type(data_or_path).__name__} is no path and no molecule of RDKit's")
        if convert_to_3d_and_optimize:
            more = load("rdkit.Chem.AllChem", _RDKIT, "Molecule.from_rdkit")
            molecule = chemistry.AddHs(molecule)
            more.EmbedMolecule(molecule)
            more.MMFFOptimizeMolecule(molecule, maxIters=mmff_optimize_molecule_max_iterations)
        block = chemistry.rdmolfiles.MolToPDBBlock(molecule)
        return cls(io.StringIO(block), caption=caption, file_type="pdb")

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: Optional[str] = None,
        sanitize: bool = True,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Molecule:
        """The molecule that a SMILES text describes. `sanitize`: refuse what RDKit finds impossible."""
        chemistry = load("rdkit.Chem", _RDKIT, "Molecule.from_smiles")
        molecule = chemistry.MolFromSmiles(data, sanitize=sanitize)
        if molecule is None:
            raise DataError(f"from_smiles: {data!r} describes no molecule")
        return cls.from_rdkit(molecule, caption, convert_to_3d_and_optimize, mmff_optimize_molecule_max_iterations)

    @classmethod
    def seq_to_json(cls, seq: Sequence[Molecule], run: Any, key: str, step: Union[int, str]) -> Json:
        """The JSON object of a batch."""
        paths = [one.to_json(run)["path"] for one in seq]
        return {"_type": "molecule", "filenames": paths, "count": len(seq), "captions": cls.captions(seq)}


def _read(chemistry: Any, path: str) -> Any:
    extension = os.path.splitext(path)[1][1:]
    if extension not in Molecule.SUPPORTED_RDKIT_TYPES:
        raise DataError(f"from_rdkit: {path} is none of {_listed(Molecule.SUPPORTED_RDKIT_TYPES)}")
    Content.of_file(path)  # says so where there is none
    if extension == "mol":
        molecule = chemistry.MolFromMolFile(path)
    else:
        with chemistry.SDMolSupplier(path) as found:
            molecule = next(iter(found), None)
    if molecule is None:
        raise DataError(f"from_rdkit: RDKit finds no molecule in {path}")
    return molecule


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
