"""Requests and responses of ``/v2``, as the Open Inference Protocol names them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
Parameters = dict[str, Any]


class TensorIn(BaseModel):
    """One input tensor."""

    name: str = Field(examples=["diagnostic"])
    shape: list[Annotated[int, Field(ge=0, le=1_000_000)]] = Field(max_length=8, examples=[[2]])
    datatype: Datatype
    parameters: Parameters | None = None
    data: list[Any] = Field(examples=[["550 5.1.1 User unknown", "452 4.2.2 Mailbox full"]])


class RequestedOutput(BaseModel):
    """An output that is wanted."""

    name: str
    parameters: Parameters | None = None


class InferIn(BaseModel):
    """An inference request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "42",
                    "inputs": [
                        {"name": "diagnostic", "shape": [1], "datatype": "BYTES", "data": ["452 4.2.2 Mailbox full"]}
                    ],
                }
            ]
        }
    )

    id: str | None = Field(default=None, max_length=256)
    parameters: Parameters | None = None
    inputs: list[TensorIn] = Field(min_length=1, max_length=16)
    outputs: list[RequestedOutput] | None = Field(default=None, max_length=64)


class TensorOut(BaseModel):
    """One output tensor."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any]


class InferOut(BaseModel):
    """The answer to an inference request."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[TensorOut]


class ServerOut(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """What a tensor is like; -1 is any number of diagnostics."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    """What the model is."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class LiveOut(BaseModel):
    """Whether the process runs."""

    live: bool


class ReadyOut(BaseModel):
    """Whether it answers."""

    ready: bool


class ModelReadyOut(ReadyOut):
    """Whether the model answers."""

    name: str
