"""The Open Inference Protocol at /v2, and the documentation page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http import create_app

TEXTS = ["550 5.1.1 <a@example.com>: User unknown", "", "452 4.2.2 Mailbox full"]
INFER = "/v2/models/whybounce/infer"


@pytest.fixture(scope="module")
def client(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier), raise_server_exceptions=False)


def tensor(name: str, data: list[Any], datatype: str = "BYTES", shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


def outputs(answer: Any) -> dict[str, list[Any]]:
    assert all(one["shape"] == [len(one["data"])] for one in answer["outputs"])
    return {one["name"]: one["data"] for one in answer["outputs"]}


def test_infer_is_predict(client: TestClient, classifier: BounceClassifier) -> None:
    every = [one["name"] for one in client.get("/v2/models/whybounce").json()["outputs"]]
    answer = client.post(
        INFER, json={"id": "7", "inputs": [tensor("diagnostic", TEXTS)], "outputs": [{"name": name} for name in every]}
    ).json()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "whybounce", classifier.model_version)
    found = outputs(answer)
    for row, text in enumerate(TEXTS):
        expected = json.loads(json.dumps(classifier.predict_one(text).to_dict()))
        assert json.loads(found["prediction"][row]) == expected
        for name in every:
            if name != "prediction":
                assert found[name][row] == ("" if expected[name] is None else expected[name])


def test_fields_beside_the_text(client: TestClient, classifier: BounceClassifier) -> None:
    answer = client.post(
        INFER,
        json={
            "inputs": [
                tensor("diagnostic", [["over quota"], ["over quota"]], shape=[2, 1]),
                tensor("enhanced_status", ["4.2.2", ""]),
                tensor("reply_code", [452, 0], "INT32"),
                tensor("remote_host", ["aspmx.l.google.com", ""]),
            ],
            "outputs": [{"name": "provider"}, {"name": "confidence"}],
        },
    ).json()
    one = classifier.predict_one(
        "over quota", enhanced_status="4.2.2", reply_code=452, remote_host="aspmx.l.google.com"
    )
    two = classifier.predict_one("over quota")
    assert outputs(answer) == {"provider": ["google", ""], "confidence": [one.confidence, two.confidence]}


def test_the_usual_outputs(client: TestClient) -> None:
    answer = client.post(INFER, json={"inputs": [tensor("diagnostic", TEXTS)]}).json()
    assert list(outputs(answer)) == ["reason", "category", "action", "confidence"]
    assert "id" not in answer
    same = client.post(f"/v2/models/whybounce/versions/{answer['model_version']}/infer", json={
        "inputs": [tensor("diagnostic", TEXTS)]})  # fmt: skip
    assert same.json() == answer


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([tensor("text", ["x"])], "no input 'text'"),
        ([tensor("command", ["x"])], "diagnostic is missing"),
        ([tensor("diagnostic", ["x"]), tensor("diagnostic", ["x"])], "twice"),
        ([tensor("diagnostic", [1], "INT64")], "datatype BYTES"),
        ([tensor("diagnostic", [1])], "not valid"),
        ([tensor("diagnostic", ["x", "y"], shape=[3])], "holds 2 rows"),
        ([tensor("diagnostic", ["x"], shape=[1, 2])], "[n, 1] is expected"),
        ([tensor("diagnostic", ["x", "y"]), tensor("command", ["RCPT TO"])], "has 1 rows"),
        ([tensor("diagnostic", ["x"]), tensor("reply_code", [99], "INT64")], "Row 0 of reply_code"),
        ([tensor("diagnostic", [])], "not 0"),
        ([tensor("diagnostic", ["x"] * 1001)], "not 1001"),
    ],
)
def test_wrong_inputs(client: TestClient, inputs: list[Any], said: str) -> None:
    answer = client.post(INFER, json={"inputs": inputs})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert answer.json()["error"] == answer.json()["detail"]


def test_wrong_outputs_names_and_versions(client: TestClient) -> None:
    wanted = {"inputs": [tensor("diagnostic", ["x"])], "outputs": [{"name": "colour"}]}
    assert "no output 'colour'" in client.post(INFER, json=wanted).json()["error"]
    for path in ("/v2/models/other", "/v2/models/other/ready", "/v2/models/whybounce/versions/none"):
        assert client.get(path).status_code == 404
        assert client.get(path).json()["error"]
    assert client.post("/v2/models/other/infer", json={"inputs": [tensor("diagnostic", ["x"])]}).status_code == 404


def test_metadata_and_health(client: TestClient, classifier: BounceClassifier) -> None:
    assert client.get("/v2").json()["name"] == "whybounce"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/whybounce/ready").json() == {"name": "whybounce", "ready": True}
    metadata = client.get("/v2/models/whybounce").json()
    assert metadata["versions"] == [classifier.model_version]
    assert metadata["inputs"][0]["name"] == "diagnostic"
    assert all(one["shape"] == [-1] for one in metadata["inputs"] + metadata["outputs"])


def test_the_documentation_needs_no_internet(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for name in loaded:
        asset = client.get("/" + name)
        assert asset.status_code == 200
        assert len(asset.content) > 50
    assert "'unsafe-inline'" not in page.headers["content-security-policy"].partition("style-src")[0]
    assert client.get("/docs/../settings.py").status_code == 404
    assert client.get("/docs/favicon.svg").status_code == 404
