"""Predicting why a message bounced. Needs neither FastAPI nor ``datasets``."""

from whybounce.model.diagnostic import Diagnostic, Phase, parse
from whybounce.model.errors import ArtifactError, DataError, MissingExtraError, RuleError, TaxonomyError, WhybounceError
from whybounce.model.explain import Explanation, Span
from whybounce.model.prediction import Alternative, DecidedBy, Evidence, Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.model.taxonomy import TAXONOMY, Action, Category, Group, Reason, ReasonInfo, Taxonomy

__all__ = [
    "TAXONOMY",
    "Action",
    "Alternative",
    "ArtifactError",
    "BounceClassifier",
    "Category",
    "DataError",
    "DecidedBy",
    "Diagnostic",
    "Evidence",
    "Explanation",
    "Group",
    "MissingExtraError",
    "Phase",
    "Prediction",
    "Reason",
    "ReasonInfo",
    "RuleError",
    "Span",
    "Taxonomy",
    "TaxonomyError",
    "WhybounceError",
    "parse",
]
