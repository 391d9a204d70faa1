"""Reading a stored pipeline without scikit-learn: the attributes of its estimators, and nothing else.

Prediction needs the numbers that were fitted, not the code that fitted them. Importing
scikit-learn takes longer than starting the rest of a service and 80 MB of every
worker, so its classes are read as plain holders of attributes. What is named in the file
is looked up in one list, so no other code of anybody's can be called by a file
(the ``pickle`` documentation, "Restricting Globals").
"""

from __future__ import annotations

import lzma
import pickle
import zlib
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper

from whybounce.model.features import char_features, code_features, word_features


class Estimator:
    """The attributes of a fitted estimator."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(
            {name: value.array if isinstance(value, _Array) else value for name, value in state.items()}
        )


class _Array(NumpyArrayWrapper):  # type: ignore[misc]
    """An array of numbers; one of objects would be a pickle of its own, read without the list.

    joblib writes the numbers behind what it pickles of the array, and reads them with an unpickler
    in Python that takes five times as long as this. The one in C takes no byte more from the source than
    it needs, and says here when it has come to the numbers.
    """

    source: BytesIO

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.dtype.hasobject:
            raise pickle.UnpicklingError("an array of objects has no place in a whybounce pipeline")
        reader = SimpleNamespace(file_handle=self.source, np=np, mmap_mode=None, filename="")
        self.array = self.read(reader, ensure_native_byte_order=True)


_ESTIMATORS = (
    ("sklearn.pipeline", "Pipeline"),
    ("sklearn.pipeline", "FeatureUnion"),
    ("sklearn.feature_extraction.text", "TfidfVectorizer"),
    ("sklearn.feature_extraction.text", "TfidfTransformer"),
    ("sklearn.feature_selection._univariate_selection", "SelectKBest"),
    ("sklearn.linear_model._logistic", "LogisticRegression"),
)
_KNOWN: dict[tuple[str, str], Any] = {
    **{name: type(name[1], (Estimator,), {}) for name in _ESTIMATORS},
    # Functions of scikit-learn that a fitted estimator names and prediction never calls.
    ("sklearn.feature_selection._univariate_selection", "chi2"): Estimator,
    ("whybounce.model.features", "word_features"): word_features,
    ("whybounce.model.features", "char_features"): char_features,
    ("whybounce.model.features", "code_features"): code_features,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    **{("numpy", kind): getattr(np, kind) for kind in ("float32", "float64", "int32", "int64")},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, source: BytesIO) -> None:
        super().__init__(source)
        self._array = type("_ArrayHere", (_Array,), {"source": source})

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return self._array
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a whybounce pipeline") from None


def attributes(payload: bytes) -> Any:
    """Read what ``joblib.dump`` wrote of a fitted pipeline, as nested :class:`Estimator`.

    Parameters
    ----------
    payload : bytes
        Plain, or compressed by xz or zlib.

    Raises
    ------
    pickle.UnpicklingError
        When it names anything else than what such a pipeline consists of.
    Exception
        Anything else, as unpickling does with damaged data.
    """
    if payload.startswith(b"\xfd7zXZ\x00"):
        payload = lzma.decompress(payload)
    elif payload.startswith(b"\x78"):
        payload = zlib.decompress(payload)
    return _Unpickler(BytesIO(payload)).load()
