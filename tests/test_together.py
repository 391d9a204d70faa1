"""What is asked for at the same time is predicted together, and everybody gets their own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from whybounce.model.artifact import SHIPPED
from whybounce.model.predictor import AT_ONCE, BounceClassifier, Key, Remembered
from whybounce.serving.http.live import LiveModel
from whybounce.serving.http.together import Together

FIELDS: list[dict[str, int | str]] = [
    {},
    {"reply_code": 550},
    {"command": "RCPT TO"},
    {"enhanced_status": "5.1.1", "remote_host": "mx.example.com"},
]


class Watched(BounceClassifier):
    """Notes what is judged at once."""

    parts: list[int]

    def recall_templates(self, known: Iterable[Key]) -> list[Remembered]:
        keys = list(known)
        self.parts.append(len(keys))
        if "explode" in keys:
            raise RuntimeError("no verdict")
        return super().recall_templates(keys)


@pytest.fixture(params=[0, 1000], ids=["nothing remembered", "remembered"])
def classifier(request: pytest.FixtureRequest) -> Watched:
    found = Watched.load(SHIPPED, strict=True, cache_size=request.param)
    assert isinstance(found, Watched)
    found.parts = []
    return found


async def ask(classifier: Watched, asked: list[tuple[str, dict[str, int | str]]]) -> list[Remembered | BaseException]:
    together = Together(LiveModel(classifier))
    return await asyncio.gather(*(together.recall(text, **fields) for text, fields in asked), return_exceptions=True)


def test_each_gets_the_answer_of_the_single_path(classifier: Watched) -> None:
    asked = [
        (f"55{n % 3} mailbox number {'x' * (n % 7)} is full", FIELDS[n % len(FIELDS)]) for n in range(3 * AT_ONCE + 5)
    ]
    answers = asyncio.run(ask(classifier, asked))
    alone = BounceClassifier.load(SHIPPED, strict=True, cache_size=0)
    for (text, fields), answer in zip(asked, answers, strict=True):
        assert isinstance(answer, Remembered)
        assert answer.of(text) == alone.predict_one(text, **fields)  # type: ignore[arg-type]
    assert classifier.parts == [AT_ONCE, AT_ONCE, AT_ONCE, 5]


def test_one_alone_waits_for_nobody_and_what_is_remembered_not_at_all(classifier: Watched) -> None:
    for _ in range(2):
        asyncio.run(ask(classifier, [("550 no such user", {})]))
    assert classifier.parts == ([1] if classifier._memory.size else [1, 1])


def test_an_error_reaches_all_that_were_asked_together(classifier: Watched) -> None:
    answers = asyncio.run(ask(classifier, [("explode", {}), ("550 no such user", {})]))
    assert [str(answer) for answer in answers] == ["no verdict"] * 2
    assert isinstance(asyncio.run(ask(classifier, [("550 no such user", {})]))[0], Remembered)


def test_one_that_gave_up_does_not_disturb_the_others(classifier: Watched) -> None:
    async def both() -> Remembered:
        together = Together(LiveModel(classifier))
        gone = asyncio.create_task(together.recall("550 no such user"))
        stays = asyncio.create_task(together.recall("452 mailbox full"))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(both()).prediction.reason == "mailbox_full"
