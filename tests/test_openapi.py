"""The OpenAPI document: every operation with words and examples, and every answer as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import openapi_examples
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from starlette.testclient import TestClient

from whybounce.model.artifact import SHIPPED
from whybounce.model.predictor import BounceClassifier
from whybounce.model.registry import Registry
from whybounce.serving.http import create_app

DOCUMENT: dict[str, Any] = create_app(
    BounceClassifier(classifier=None, manifest=None, degraded_because="a test wants it so")
).openapi()
OPERATIONS = [
    f"{method.upper()} {path}" for path, operations in DOCUMENT["paths"].items() for method in operations
]  # fmt: skip
PROBLEM = "application/problem+json"


def operation(name: str) -> Any:
    method, path = name.split()
    return DOCUMENT["paths"][path][method.lower()]


def undeclared(value: Any, schema: Any, place: str = "") -> Iterator[str]:
    """Fields of an answer that its schema does not name."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for one in schema.get("anyOf", ()):
        if isinstance(value, dict) and ("properties" in one or "$ref" in one):
            yield from undeclared(value, one, place)
    if isinstance(value, dict) and "properties" in schema:
        for name, item in value.items():
            if name not in schema["properties"]:
                yield f"{place}.{name}"
            else:
                yield from undeclared(item, schema["properties"][name], f"{place}.{name}")
    if isinstance(value, list):
        for item in value:
            yield from undeclared(item, schema.get("items", {}), place)


def validator(schema: Any) -> Any:
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


# ---- the document


def test_it_lists_every_endpoint() -> None:
    paths = {name.split()[1] for name in OPERATIONS}
    assert paths >= {
        "/v1/predict", "/v1/predict/batch", "/v1/predict/stream", "/v1/explain", "/v1/message", "/v1/report",
        "/v1/events/{provider}", "/v1/feedback", "/v1/review", "/v1/reasons", "/v1/model", "/v1/models",
        "/v1/counters", "/metrics", "/health/live", "/health/ready", "/v2", "/v2/models/{name}/infer",
    }  # fmt: skip
    assert len(OPERATIONS) >= 26


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_words_and_every_error_an_example(name: str) -> None:
    found = operation(name)
    assert found["summary"]
    assert found["description"].partition("\n")[0].endswith((".", "predict`."))
    assert set(found["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    for parameter in found.get("parameters", ()):
        assert len(parameter["description"]) > 8, parameter["name"]
    for status, response in found["responses"].items():
        assert response["description"]
        content = response["content"]
        if int(status) < 400:
            assert all("schema" in media for media in content.values()), status
        elif PROBLEM in content:
            assert list(content) == [PROBLEM]
            example = content[PROBLEM]["example"]
            assert example["status"] == int(status)
            validator(content[PROBLEM]["schema"]).validate(example)
    if "requestBody" in found:
        assert {"400", "413", "415"} <= set(found["responses"]) or name.endswith(("/stream", "/report"))
        assert all("schema" in media for media in found["requestBody"]["content"].values())


def test_names_of_operations_make_good_names_of_functions() -> None:
    names = [operation(name)["operationId"] for name in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and len(name) < 30 for name in names)


def test_keys_are_documented() -> None:
    assert DOCUMENT["security"] == [{}, {"bearer": []}, {"header": []}]
    assert "role `feedback`" in operation("POST /v1/feedback")["description"]
    assert operation("GET /health/live")["security"] == []
    assert "401" not in operation("GET /health/ready")["responses"]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return openapi_examples.made()


def test_the_examples_are_what_is_answered_now(made: dict[str, Any]) -> None:
    written = json.loads(openapi_examples.FILE.read_text("utf-8"))
    assert written.keys() == made.keys()
    without = set(OPERATIONS) - made.keys()
    assert without == {"GET /v1/models/{version}/report", "GET /v1/models/{version}/card"}  # pages, not for programs
    for name, example in made.items():
        old = written[name]
        assert {key: old[key] for key in old if key != "answer"} == {
            key: example[key] for key in example if key != "answer"
        }
        if isinstance(old["answer"], dict):
            assert old["answer"].keys() == example["answer"].keys(), f"{name}: python tests/openapi_examples.py --write"
    one, now = (found["POST /v1/predict"]["answer"] for found in (written, made))
    assert (one["reason"], one["action"], one.keys()) == (now["reason"], now["action"], now.keys())


@pytest.mark.parametrize("name", sorted(json.loads(openapi_examples.FILE.read_text("utf-8"))))
def test_the_examples_stand_in_the_document_and_are_valid(name: str) -> None:
    example = json.loads(openapi_examples.FILE.read_text("utf-8"))[name]
    answer = operation(name)["responses"][str(example["status"])]["content"][example["answer_type"]]
    assert answer["example"] == example["answer"]
    validator(answer["schema"]).validate(example["answer"])
    assert list(undeclared(example["answer"], answer["schema"])) == []
    if "request" in example:
        request = operation(name)["requestBody"]["content"][example["type"]]
        assert "example" in request or "examples" in request
        validator(request["schema"]).validate(example["request"])


# ---- any request


@pytest.fixture(scope="module")
def document(
    tmp_path_factory: pytest.TempPathFactory, classifier: BounceClassifier
) -> Iterator[schemathesis.schemas.BaseSchema]:
    folder = tmp_path_factory.mktemp("service")
    registry = Registry(folder / "models")
    registry.add(SHIPPED)
    app = create_app(classifier, registry=registry.folder, feedback_url=f"sqlite:///{folder}/feedback.db")
    with TestClient(app):  # with its background jobs
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


@schemathesis.serializer("application/x-ndjson", "message/rfc822")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


# Whether these take a body depends on more than a schema can say: what an event means, that a text is given once, …
MEANING = {
    "POST /v1/events/{provider}", "POST /v1/message", "POST /v1/report", "POST /v1/feedback",
    "POST /v2/models/{name}/infer",
}  # fmt: skip
# And these take more than their schema promises; what is wrong, the answer says line by line, or record by record.
TAKES_MORE = {"POST /v1/predict/stream", "POST /v1/report", "POST /v1/message", "POST /v1/events/{provider}"}

# What takes long, or is nothing but a path, is tried less often.
TRIES = {"POST /v1/report": 15, "POST /v1/feedback": 25, "GET": 8, "POST": 40}


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_any_request_gets_a_documented_answer(
    document: schemathesis.schemas.BaseSchema, name: str, mode: schemathesis.GenerationMode
) -> None:
    method, path = name.split()
    cases = document[path][method].as_strategy(generation_mode=mode)
    excluded = [checks.positive_data_acceptance] * (name in MEANING) + [checks.negative_data_rejection] * (
        name in TAKES_MORE
    )

    @settings(max_examples=TRIES.get(name, TRIES[method]), deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def try_it(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        assert response.status_code < 500 or (response.status_code == 503 and path == "/v1/report"), response.text
        case.validate_response(response, excluded_checks=excluded)

    try:
        try_it()
    except Unsatisfiable:
        assert mode == schemathesis.GenerationMode.NEGATIVE  # nothing to get wrong
        assert "requestBody" not in operation(name)


GOOD: dict[str, list[tuple[str, Any]]] = {
    "/v1/message": [("message/rfc822", openapi_examples.BOUNCE)],
    "/v1/events/sendgrid": [("application/json", json.dumps(openapi_examples.EVENTS))],
    "/v1/report": [("application/octet-stream", openapi_examples.FILE_OF_BOUNCES)],
    "/v1/report?format=csv": [("application/octet-stream", openapi_examples.FILE_OF_BOUNCES)],
    "/v1/report?format=html": [("application/octet-stream", openapi_examples.FILE_OF_BOUNCES)],
}


@pytest.mark.parametrize("path", GOOD)
def test_good_requests_with_pieces_changed(path: str) -> None:
    """A schema of "string" makes no bounce message: here are some, damaged, so that what lies behind is reached."""
    from hypothesis import strategies as st

    app = create_app(BounceClassifier(classifier=None, manifest=None))
    client = TestClient(app, raise_server_exceptions=False)
    [(kind, text)] = GOOD[path]
    template = {"/v1/events/sendgrid": "POST /v1/events/{provider}"}.get(path, "POST " + path.partition("?")[0])
    responses = operation(template)["responses"]
    reached = set()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(data=st.data())
    def try_it(data: st.DataObject) -> None:
        body = bytearray(text.encode())
        for _ in range(data.draw(st.integers(0, 3))):
            start = data.draw(st.integers(0, len(body)))
            end = min(len(body), start + data.draw(st.integers(0, 20)))
            body[start:end] = data.draw(st.binary(max_size=20))
        answer = client.post(path, content=bytes(body), headers={"content-type": kind})
        assert str(answer.status_code) in responses
        assert answer.status_code < 500
        media = answer.headers["content-type"].partition(";")[0]
        schema = responses[str(answer.status_code)]["content"][media]["schema"]
        value = answer.json() if "json" in media else answer.text
        validator(schema).validate(value)
        assert list(undeclared(value, schema)) == []
        reached.add(answer.status_code)

    try_it()
    assert 200 in reached
