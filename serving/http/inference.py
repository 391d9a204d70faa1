"""``/v2``: the Open Inference Protocol, for teams whose clients speak it to every model (KServe, Triton, MLServer).

One model, ``whybounce``. The input ``diagnostic`` is one text a row; what is known besides
comes in optional inputs of the same length, where ``""`` and ``0`` stand for "not known".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Path
from fastapi.responses import Response
from pydantic import ValidationError

from whybounce import __version__
from whybounce.model.errors import WhybounceError
from whybounce.model.prediction import Prediction
from whybounce.serving.http.problems import DOCUMENTED, documented, problem
from whybounce.serving.http.schemas import MAX_BATCH, DiagnosticIn
from whybounce.serving.http.schemas_inference import (
    InferIn,
    InferOut,
    LiveOut,
    ModelMetadata,
    ModelReadyOut,
    ReadyOut,
    ServerOut,
    TensorIn,
)
from whybounce.serving.http.service import Service
from whybounce.serving.http.verdicts import in_turns

NAME = "whybounce"

INPUTS = {
    "diagnostic": "BYTES",
    "reply_code": "INT64",
    "enhanced_status": "BYTES",
    "command": "BYTES",
    "remote_host": "BYTES",
}

_OUTPUTS: dict[str, tuple[str, Callable[[Prediction], Any]]] = {
    "reason": ("BYTES", lambda found: found.reason),
    "category": ("BYTES", lambda found: found.category),
    "action": ("BYTES", lambda found: found.action),
    "confidence": ("FP64", lambda found: found.confidence),
    "title": ("BYTES", lambda found: found.title),
    "group": ("BYTES", lambda found: found.group),
    "provider": ("BYTES", lambda found: found.provider or ""),
    "decided_by": ("BYTES", lambda found: str(found.decided_by)),
    "template": ("BYTES", lambda found: found.template),
    "prediction": ("BYTES", lambda found: orjson.dumps(found).decode()),
}
"""``prediction`` is everything that /v1/predict answers, as JSON."""
_USUAL = ("reason", "category", "action", "confidence")

_TAG = "open inference protocol"
_MODEL = "/v2/models/{name}"
_VERSION = _MODEL + "/versions/{version}"
_Name = Annotated[str, Path(description=f"Always `{NAME}`.", examples=[NAME])]
_Version = Annotated[str, Path(description="The version that answers now; `/v2/models/whybounce` names it.")]


class _WrongInputError(WhybounceError):
    pass


def add(app: FastAPI, service: Service) -> None:
    """Register the endpoints, each with and without a version of the model."""
    missing = documented(404)
    without = "There is no model, and the settings want one."
    not_ready: dict[int | str, dict[str, Any]] = {503: {"model": ReadyOut, "description": without}}
    model_not_ready = {**missing, 503: {"model": ModelReadyOut, "description": without}}

    def current() -> str:
        return service.live.classifier.model_version or "none"

    def readiness(response: Response) -> dict[str, bool]:
        response.status_code = 200 if service.ready else 503
        return {"ready": service.ready}

    def unknown(name: str, version: str | None = None) -> Response | None:
        if name != NAME:
            return _refused(404, f"The model here is {NAME}: /v2/models/{NAME}.")
        if version not in (None, current()):
            return _refused(404, f"The version that answers is {current()}; others are listed at /v1/models.")
        return None

    def described(name: str, version: str | None = None) -> Any:
        if refusal := unknown(name, version):
            return refusal
        return {
            "name": NAME,
            "versions": [current()],
            "platform": "scikit-learn",
            "inputs": [{"name": key, "datatype": datatype, "shape": [-1]} for key, datatype in INPUTS.items()],
            "outputs": [{"name": key, "datatype": datatype, "shape": [-1]} for key, (datatype, _) in _OUTPUTS.items()],
        }

    async def inferred(request: InferIn, name: str, version: str | None = None) -> Any:
        if refusal := unknown(name, version):
            return refusal
        try:
            rows = _rows(request.inputs)
            outputs = [one.name for one in request.outputs or ()] or list(_USUAL)
            for output in outputs:
                if output not in _OUTPUTS:
                    raise _WrongInputError(f"There is no output {output!r}. Known: {', '.join(_OUTPUTS)}.")
        except _WrongInputError as error:
            return _refused(422, str(error))
        answering = current()
        found = await in_turns(service, rows)
        return {
            "model_name": NAME,
            "model_version": answering,
            "id": request.id,
            "outputs": [
                {
                    "name": output,
                    "shape": [len(found)],
                    "datatype": _OUTPUTS[output][0],
                    "data": [_OUTPUTS[output][1](prediction) for prediction in found],
                }
                for output in dict.fromkeys(outputs)
            ],
        }

    @app.get("/v2", response_model=ServerOut, tags=[_TAG])
    async def server() -> Any:
        """Name the server and its version."""
        return {"name": "whybounce", "version": __version__, "extensions": []}

    @app.get("/v2/health/live", response_model=LiveOut, tags=[_TAG])
    async def server_live() -> Any:
        """Answer as long as the process runs."""
        return {"live": True}

    @app.get("/v2/health/ready", response_model=ReadyOut, responses=not_ready, tags=[_TAG])
    async def server_ready(response: Response) -> Any:
        """Answer when predictions are served."""
        return readiness(response)

    @app.get(_MODEL, response_model=ModelMetadata, responses=missing, tags=[_TAG])
    async def model_metadata(name: _Name) -> Any:
        """Describe inputs and outputs."""
        return described(name)

    @app.get(_VERSION, response_model=ModelMetadata, responses=missing, tags=[_TAG])
    async def model_version_metadata(name: _Name, version: _Version) -> Any:
        """Describe inputs and outputs of one version."""
        return described(name, version)

    @app.get(f"{_MODEL}/ready", response_model=ModelReadyOut, responses=model_not_ready, tags=[_TAG])
    async def model_ready(response: Response, name: _Name) -> Any:
        """Answer when the model does."""
        return unknown(name) or {"name": NAME, **readiness(response)}

    @app.get(f"{_VERSION}/ready", response_model=ModelReadyOut, responses=model_not_ready, tags=[_TAG])
    async def model_version_ready(response: Response, name: _Name, version: _Version) -> Any:
        """Answer when this version does."""
        return unknown(name, version) or {"name": NAME, **readiness(response)}

    errors = {**DOCUMENTED, **missing}

    @app.post(
        f"{_MODEL}/infer", response_model=InferOut, response_model_exclude_none=True, responses=errors, tags=[_TAG]
    )
    async def model_infer(name: _Name, request: InferIn) -> Any:
        """Predict up to 1,000 diagnostics; the outputs keep their order."""
        return await inferred(request, name)

    @app.post(
        f"{_VERSION}/infer", response_model=InferOut, response_model_exclude_none=True, responses=errors, tags=[_TAG]
    )
    async def model_version_infer(name: _Name, version: _Version, request: InferIn) -> Any:
        """Predict with one version, or be told that another one answers."""
        return await inferred(request, name, version)


def _rows(tensors: list[TensorIn]) -> list[DiagnosticIn]:
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        datatype = INPUTS.get(tensor.name)
        if datatype is None:
            raise _WrongInputError(f"There is no input {tensor.name!r}. Known: {', '.join(INPUTS)}.")
        if tensor.name in columns:
            raise _WrongInputError(f"The input {tensor.name} is given twice.")
        if (tensor.datatype == "BYTES") != (datatype == "BYTES"):
            raise _WrongInputError(f"The input {tensor.name} is of datatype {datatype}, not {tensor.datatype}.")
        columns[tensor.name] = _flat(tensor)
    if "diagnostic" not in columns:
        raise _WrongInputError("The input diagnostic is missing: one text a row, datatype BYTES.")
    size = len(columns["diagnostic"])
    if not 1 <= size <= MAX_BATCH:
        raise _WrongInputError(f"Send 1 to {MAX_BATCH} diagnostics in one request, not {size}.")
    for name, column in columns.items():
        if len(column) != size:
            raise _WrongInputError(f"The input {name} has {len(column)} rows, diagnostic has {size}.")
    rows = []
    for number in range(size):
        row = {name: column[number] for name, column in columns.items()}
        known = {name: value for name, value in row.items() if name == "diagnostic" or value not in ("", 0, None)}
        try:
            rows.append(DiagnosticIn.model_validate(known))
        except ValidationError as error:
            item = error.errors()[0]
            raise _WrongInputError(f"Row {number} of {item['loc'][0]} is not valid: {item['msg']}.") from None
    return rows


def _flat(tensor: TensorIn) -> list[Any]:
    """Return the rows of a tensor of shape [n] or [n, 1], given flat or nested."""
    data = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in tensor.data]
    size = tensor.shape[0] if tensor.shape else 0
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
        raise _WrongInputError(f"The input {tensor.name} has the shape {tensor.shape}; [n] or [n, 1] is expected.")
    if len(data) != size:
        raise _WrongInputError(f"The input {tensor.name} is of shape {tensor.shape} but holds {len(data)} rows.")
    return data


def _refused(status: int, detail: str) -> Response:
    # Clients of the protocol look for "error"; ours for the rest.
    return problem(status, detail, error=detail)
