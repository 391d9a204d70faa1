"""Explaining over HTTP, the files of the page, and the live counters. The page in a browser: test_browser.py."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from starlette.testclient import TestClient

from whybounce.model.artifact import publish
from whybounce.model.masking import MAX_TEXT
from whybounce.model.predictor import BounceClassifier
from whybounce.model.registry import Registry
from whybounce.model.taxonomy import TAXONOMY, Action
from whybounce.serving.http import card, create_app
from whybounce.serving.http.counters import counted
from whybounce.serving.http.web import POLICY, assets
from whybounce.serving.intake.formats import formats
from whybounce.serving.keys import Role, new_key
from whybounce.training import run
from whybounce.training.train import Trained

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def client(classifier: BounceClassifier) -> TestClient:
    return TestClient(create_app(classifier), raise_server_exceptions=False)


# Explaining


def explained(client: TestClient, text: str, **fields: Any) -> dict[str, Any]:
    response = client.post("/v1/explain", json={"diagnostic": text, **fields})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize(
    ("text", "fields", "marked", "unmarked"),
    [
        ("550 5.1.1 <Joe@example.com>: User Unknown, bye", {}, {"User Unknown"}, {"Joe", "bye"}),
        ("host mx.example.net[192.0.2.1] said:\r\n 552 Mailbox  FULL.", {}, {"FULL"}, {"host", "mx", "said"}),
        ("552\u00a05.2.2 \u200bMailbox full", {}, {"full"}, set()),
        ("🙂🙂 550 5.1.1 User unknown", {}, {"unknown"}, {"🙂"}),
        ("550-5.1.1 user\\r\\n550 5.1.1 unknown", {}, {"unknown"}, set()),
        ("over quota", {"reply_code": 452, "enhanced_status": "4.2.2"}, {"quota"}, set()),
        ("", {}, set(), set()),
    ],
)
def test_marks_stand_where_the_words_were_given(
    client: TestClient, text: str, fields: dict[str, Any], marked: set[str], unmarked: set[str]
) -> None:
    found = explained(client, text, **fields)
    assert [text[one["start"] : one["end"]] for one in found["highlights"]] == [o["text"] for o in found["highlights"]]
    together = " ".join(one["text"] for one in found["highlights"])
    assert all(word in together for word in marked), together
    assert not any(word in together for word in unmarked), together


def test_an_explanation_is_the_prediction_and_more(client: TestClient) -> None:
    ask = {"diagnostic": "host mx.example.net said: 450 4.2.2 mailbox full", "command": "RCPT TO"}
    prediction, found = (client.post(path, json=ask).json() for path in ("/v1/predict", "/v1/explain"))
    assert {name: found[name] for name in prediction} == prediction
    assert set(found) - set(prediction) == {"description", "advice", "normalised", "highlights", "rules"}
    assert found["advice"] == Action(found["action"]).advice
    assert found["description"] == TAXONOMY[found["reason"]].description
    assert "full.mailbox" in found["rules"]


@given(st.text(max_size=120))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_marks_are_in_order_apart_and_in_the_text(client: TestClient, extra: str) -> None:
    text = f"{extra} 550 5.1.1 user unknown {extra}"
    found = explained(client, text)
    end = 0
    for one in found["highlights"]:
        assert end <= one["start"] < one["end"] <= len(text)
        assert text[one["start"] : one["end"]] == one["text"]
        end = one["end"]


def test_only_the_words_that_decided_are_marked(rules_only: BounceClassifier) -> None:
    client = TestClient(create_app(rules_only))
    found = explained(client, "550 unknown error of the list; the user jane is unknown: user unknown here")
    assert found["decided_by"] == "rules"
    assert " ".join(one["text"] for one in found["highlights"]) == found["evidence"][0]["text"]
    assert "list" not in found["evidence"][0]["text"]


def test_what_is_cut_is_not_marked(client: TestClient) -> None:
    found = explained(client, "550 5.1.1 x ".ljust(MAX_TEXT, "y") + " user unknown")
    assert found["truncated"] is True
    assert all(one["end"] <= MAX_TEXT for one in found["highlights"])


@pytest.mark.parametrize(
    "body", [{}, {"diagnostic": 3}, {"diagnostic": "x", "more": 1}, {"diagnostic": "x", "reply_code": 1}]
)
def test_wrong_requests_are_problems(client: TestClient, body: Any) -> None:
    response = client.post("/v1/explain", json=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=str)
@pytest.mark.parametrize("operation", ["POST /v1/explain", "GET /v1/counters"])
def test_any_request_gets_a_documented_answer(
    classifier: BounceClassifier, operation: str, mode: schemathesis.GenerationMode
) -> None:
    method, path = operation.split()
    document = schemathesis.openapi.from_asgi("/openapi.json", create_app(classifier))
    cases = document[path][method].as_strategy(generation_mode=mode)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def try_it(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        assert response.status_code < 500
        case.validate_response(response)

    try:
        try_it()
    except Unsatisfiable:
        assert (method, mode) == ("GET", schemathesis.GenerationMode.NEGATIVE)


# Counters


def test_counters(classifier: BounceClassifier, odd: list[str]) -> None:
    client = TestClient(create_app(classifier))
    assert client.get("/v1/counters").json()["mean_milliseconds"] is None
    for _ in range(3):
        explained(client, "550 5.1.1 user unknown")
    explained(client, odd[0])
    client.post("/v1/predict", content=b"{", headers={"content-type": "application/json"})
    found = client.get("/v1/counters").json()
    assert (found["predictions"], found["unsure"]) == (4, 1)
    assert (found["requests"], found["refused_requests"], found["failed_requests"]) == (6, 1, 0)
    assert found["reasons"][0] == {"name": "invalid_recipient", "count": 3}
    assert sum(one["count"] for one in found["decided_by"]) == sum(one["count"] for one in found["providers"]) == 4
    assert found["mean_milliseconds"] > 0


def test_counters_of_nothing() -> None:
    found = counted("")
    assert (found.requests, found.reasons, found.mean_milliseconds) == (0, [], None)


def test_without_metrics_there_are_no_counters(classifier: BounceClassifier) -> None:
    assert TestClient(create_app(classifier, metrics=False)).get("/v1/counters").status_code == 404


# The page


def test_the_page_is_for_browsers(client: TestClient) -> None:
    page = client.get("/", headers=BROWSER)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == "accept"
    assert client.get("/").status_code == 200  # curl and whoever checks that the service is up take anything
    other = client.get("/", headers={"accept": "application/json"})
    assert (other.status_code, other.headers["content-type"]) == (404, "application/problem+json")
    assert "/docs" in other.json()["detail"]


def test_headers_of_the_page(client: TestClient) -> None:
    for path in ("/", *(f"/web/{name}" for name in assets() if name != "index.html")):
        found = client.get(path, headers=BROWSER)
        assert found.status_code == 200, path
        assert found.headers["content-security-policy"] == POLICY
        assert (found.headers["x-content-type-options"], found.headers["x-frame-options"]) == ("nosniff", "DENY")
        assert found.headers["cache-control"] == "no-cache"
        for given_tag in (found.headers["etag"], f'"x", W/{found.headers["etag"]}', "*"):
            again = client.get(path, headers=BROWSER | {"if-none-match": given_tag})
            assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, headers=BROWSER | {"if-none-match": '"x"'}).status_code == 200
        head = client.head(path, headers=BROWSER)
        assert (head.status_code, head.content) == (200, b"")
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
    ],
)
def test_content_types(client: TestClient, name: str, kind: str) -> None:
    assert client.get(f"/web/{name}").headers["content-type"] == kind


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/nothing.js",
        "/web/index.html",
        "/web/..%2fsettings.py",
        "/web/../settings.py",
        "/web/app.js/x",
        "/web/%00",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_loads_nothing_from_elsewhere() -> None:
    svg = "http://www.w3.org/2000/svg"  # the name of a vocabulary, not an address
    for name, asset in assets().items():
        text = asset.content.decode("utf-8").replace(svg, "")
        assert not re.search(r"https?://|[\"'(]//|@import|\burl\(", text), name


def test_no_markup_is_made_of_text_and_nothing_is_inline() -> None:
    page = assets()["index.html"].content.decode("utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)
    for name, asset in assets().items():
        if name.endswith(".js"):
            text = asset.content.decode("utf-8")
            assert not re.search(
                r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b", text
            ), name


def test_every_import_of_the_page_is_there() -> None:
    known = assets()
    named = set(re.findall(r'(?:href|src)="web/([^"]+)"', known["index.html"].content.decode("utf-8")))
    assert named > {"app.js", "theme.js", "style.css"}
    for name, asset in known.items():
        if name.endswith(".js"):
            named |= set(re.findall(r'from "\./([^"]+)"', asset.content.decode("utf-8")))
    assert named | {"index.html"} == set(known)


def test_the_files_of_the_page_stay_small() -> None:
    for name, asset in assets().items():
        assert asset.content.count(b"\n") <= 300, name


def test_the_page_knows_how_large_a_file_may_be(classifier: BounceClassifier) -> None:
    limit = b'<meta name="max-report" content="%d">'
    for client, most in (
        (TestClient(create_app(classifier)), 256 * 1024 * 1024),
        (TestClient(create_app(classifier, max_report=12345)), 12345),
    ):
        page = client.get("/", headers=BROWSER)
        assert limit % most in page.content
        again = client.get("/", headers=BROWSER | {"if-none-match": page.headers["etag"]})
        assert again.status_code == 304


def test_the_page_offers_every_format() -> None:
    text = assets()["report.js"].content.decode("utf-8")
    table = text[text.index("const FORMATS") : text.index("};", text.index("const FORMATS"))]
    offered = re.findall(r'[{,] "?([a-z-]+)"?: "', table)
    assert sorted(offered) == sorted(one.name for one in formats())


# The model card


@pytest.fixture
def registry(small: Trained, tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "models")
    for version in ("one", "two"):
        publish(tmp_path / version, small.payload, replace(small.manifest, model_version=version))
        if version == "one":
            (tmp_path / version / card.CARD_FILE).write_text("# Model card: one\n\nFor *bounces* – only.\n", "utf-8")
        found.add(tmp_path / version)
    return found


def test_the_card_of_a_version(registry: Registry, classifier: BounceClassifier) -> None:
    client = TestClient(create_app(classifier, registry=registry.folder))
    found = client.get("/v1/models/one/card")
    assert (found.status_code, found.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert found.text == "# Model card: one\n\nFor *bounces* – only.\n"
    for name, word in (("two", "--bare"), ("three", "it has: one, two"), ("..", "docs"), ("%2e%2e", "")):
        missing = client.get(f"/v1/models/{name}/card")
        assert (missing.status_code, word in missing.json()["detail"]) == (404, True), name


def test_the_card_without_a_registry(client: TestClient) -> None:
    found = client.get("/v1/models/one/card")
    assert (found.status_code, "--registry" in found.json()["detail"]) == (404, True)


def test_the_card_is_named_as_training_names_it() -> None:
    assert card.CARD_FILE == run.CARD_FILE


def test_the_page_needs_no_key_and_the_service_does(classifier: BounceClassifier) -> None:
    tokens = {role: new_key(role, f"{role}-1") for role in Role}
    client = TestClient(create_app(classifier, api_keys=",".join(str(key) for _, key in tokens.values())))
    assert client.get("/", headers=BROWSER).status_code == 200
    assert client.get("/web/app.js").status_code == 200
    for path, allowed in (
        ("/v1/explain", {Role.PREDICT, Role.FEEDBACK, Role.ADMIN}),
        ("/v1/counters", {Role.METRICS, Role.ADMIN}),
        ("/v1/models/x/card", {Role.ADMIN}),
    ):
        method = "POST" if path == "/v1/explain" else "GET"
        assert client.request(method, path).status_code == 401
        for role, (token, _) in tokens.items():
            status = client.request(method, path, headers={"authorization": f"Bearer {token}"}).status_code
            assert (status == 403) == (role not in allowed), (path, role)


def test_the_page_names_only_endpoints_that_exist(client: TestClient) -> None:
    paths = set(json.loads(client.get("/openapi.json").content)["paths"])
    named = set()
    for name, asset in assets().items():
        if name.endswith(".js"):
            named |= {f"/{path}" for path in re.findall(r'[`"](v1/[a-z_/]+)', asset.content.decode("utf-8"))}
    assert named >= {"/v1/explain", "/v1/report", "/v1/review", "/v1/feedback", "/v1/model", "/v1/counters"}
    assert {path for path in named if path not in paths and path != "/v1/models/"} == set()
