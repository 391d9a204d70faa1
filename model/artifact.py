"""Saving and loading a trained model: a folder with a joblib file and a manifest.

The manifest names the joblib file and holds its digest. The digest is compared before
anything is unpickled, so a damaged or swapped file is never read. The digest guards
against accidents, not against somebody who can write both files; from such a file no
code is run either (see :mod:`whybounce.model.unpickle`), but its answers are theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib

from whybounce.model.classifier import TextClassifier
from whybounce.model.custom import as_table, custom_reasons
from whybounce.model.errors import ArtifactError
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.model.unpickle import attributes

FORMAT_VERSION = 1
SHIPPED = Path(__file__).parent / "artifact"
MANIFEST_FILE = "manifest.json"
LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact says about itself.

    Attributes
    ----------
    format_version : int
    model_version : str
        Made from the data fingerprint and the digest; the same model has the same version.
    labels : tuple of str
    threshold : float
        Confidence from which on the model decides; below, the rules are asked.
    hard_threshold : float
        Least share of the hard reasons, together, against the strongest other reason
        for one of them to stand: 0.5 asks for as much, 0.8 for four times as much.
    rule_weight : dict
        What the rules' verdict adds to the log-odds of its reason, by kind of rule.
    review_below : float
        Confidence under which the advice becomes ``review``.
    confidence : dict
        Measured share of right answers when the rules decide: by kind of rule, and
        whether the model's first three ``agree`` or they stand ``alone``; and of the reasons
        that a ``veto`` names against a hard one.
    libraries : dict
        Versions of the libraries it was trained with.
    data : dict
        Fingerprint (sha256) and size of the training data, and the seed.
    metrics : dict
        Figures measured on held-out data.
    sha256 : str
        Digest of the joblib file.
    reasons : dict
        Reasons of the user's own, which the model may answer besides ours.
    """

    format_version: int
    model_version: str
    labels: tuple[str, ...]
    threshold: float
    hard_threshold: float
    rule_weight: dict[str, float]
    review_below: float
    confidence: dict[str, float]
    libraries: dict[str, str]
    data: dict[str, Any]
    metrics: dict[str, Any]
    sha256: str
    reasons: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def taxonomy(self) -> Taxonomy:
        """The reasons that the model may answer; raises TaxonomyError."""
        return Taxonomy(custom_reasons(self.reasons)) if self.reasons else TAXONOMY

    @property
    def model_file(self) -> str:
        """Name of the joblib file: each content has a name of its own."""
        return f"model-{self.sha256[:16]}.joblib"

    def to_json(self) -> str:
        """Sorted, indented JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "reasons" or self.reasons}
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Raises ArtifactError when fields are missing or of the wrong type."""
        try:
            fields = json.loads(text)
            manifest = cls(**{**fields, "labels": tuple(fields["labels"])})
            Taxonomy(custom_reasons(manifest.reasons))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ArtifactError(f"the manifest cannot be read ({error}); train or fetch the artifact again") from error
        return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an artifact folder; raises ArtifactError."""
    try:
        text = (folder / MANIFEST_FILE).read_text("utf-8")
    except (OSError, ValueError) as error:  # not UTF-8, or a null character in the path
        raise ArtifactError(
            f"no readable {MANIFEST_FILE} in {folder} ({error}); run: whybounce train --out {folder}"
        ) from error
    manifest = Manifest.from_json(text)
    if manifest.format_version != FORMAT_VERSION:
        raise ArtifactError(
            f"{folder} has format version {manifest.format_version}, this whybounce reads {FORMAT_VERSION}; "
            "train it again"
        )
    return manifest


def load(folder: Path) -> tuple[TextClassifier, Manifest]:
    """Load an artifact.

    Raises
    ------
    ArtifactError
        When it is missing, its digest does not match, it was made by another
        scikit-learn version, or it does not hold what the manifest says.
    """
    manifest = read_manifest(folder)
    try:
        payload = (folder / manifest.model_file).read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"no readable {manifest.model_file} in {folder} ({error}); train or fetch the artifact again"
        ) from error
    if hashlib.sha256(payload).hexdigest() != manifest.sha256:
        raise ArtifactError(
            f"{folder / manifest.model_file} does not have the digest that its manifest names; fetch it again"
        )
    made, here = manifest.libraries.get("scikit-learn", "?"), version("scikit-learn")
    if made.split(".")[:2] != here.split(".")[:2]:
        raise ArtifactError(
            f"{folder} was trained with scikit-learn {made}, installed is {here}; "
            f"install {made} or run: whybounce train"
        )
    try:
        classifier = TextClassifier(attributes(payload))
    except ArtifactError:
        raise
    except Exception as error:  # damaged data may raise anything
        raise ArtifactError(f"{folder / manifest.model_file} cannot be loaded ({error}); train it again") from error
    if classifier.labels != manifest.labels:
        raise ArtifactError(f"{folder} holds other labels than its manifest; train it again")
    undefined = [label for label in manifest.labels if label not in manifest.taxonomy]
    if undefined:
        raise ArtifactError(f"{folder} has a reason {undefined[0]!r} that its manifest does not define; train it again")
    return classifier, manifest


def dump(pipeline: Any) -> bytes:
    """Serialise a fitted pipeline, compressed."""
    buffer = BytesIO()
    joblib.dump(pipeline, buffer, compress=("xz", 6))
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The decision parameters chosen on validation data; see :class:`Manifest`."""

    threshold: float
    hard_threshold: float
    rule_weight: dict[str, float]
    review_below: float
    confidence: dict[str, float]


def make_manifest(
    payload: bytes,
    *,
    labels: tuple[str, ...],
    thresholds: Thresholds,
    data: dict[str, Any],
    metrics: dict[str, Any],
    taxonomy: Taxonomy = TAXONOMY,
) -> Manifest:
    """Describe a serialised pipeline."""
    digest = hashlib.sha256(payload).hexdigest()
    return Manifest(
        format_version=FORMAT_VERSION,
        model_version=f"{data['fingerprint'][:8]}-{digest[:8]}",
        labels=labels,
        threshold=thresholds.threshold,
        hard_threshold=thresholds.hard_threshold,
        rule_weight=thresholds.rule_weight,
        review_below=thresholds.review_below,
        confidence=thresholds.confidence,
        libraries={name: version(name) for name in LIBRARIES},
        data=data,
        metrics=metrics,
        sha256=digest,
        reasons=as_table(taxonomy.extra),
    )


def publish(folder: Path, payload: bytes, manifest: Manifest) -> None:
    """Write an artifact so that a reader sees the old one or the new one, never a mixture.

    The joblib file comes first, under a name that no other content has. Replacing the
    manifest, which names it, is the one atomic step that switches; files that no
    manifest names any more are removed afterwards.

    Raises
    ------
    ArtifactError
        When the folder holds something else than an artifact or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder} is a file; name a folder")
    if folder.exists() and any(folder.iterdir()) and not any(folder.glob("model-*.joblib*")):
        raise ArtifactError(f"{folder} holds other files and no artifact; name an empty or a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / manifest.model_file, payload)
        replace_file(folder / MANIFEST_FILE, manifest.to_json().encode())
        for stale in folder.glob("model-*.joblib*"):
            if stale.name != manifest.model_file:
                stale.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"cannot write the artifact to {folder} ({error}); name a folder that can be written"
        ) from error


def replace_file(path: Path, payload: bytes) -> None:
    """Put ``payload`` at ``path`` in one step: temporary file, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
