"""What is asked for at the same time, predicted together.

A template that is not remembered costs less than half beside others (see
:mod:`whybounce.model.reading`). Requests whose verdicts are not remembered therefore wait
for those that the event loop has at hand already, and for nobody else: one that comes
alone is answered at once.
"""

from __future__ import annotations

import asyncio

from whybounce.model.predictor import AT_ONCE, Key, Remembered, key_of
from whybounce.serving.http.live import LiveModel


class Together:
    """Recalls verdicts for one event loop.

    Parameters
    ----------
    live : LiveModel
    """

    def __init__(self, live: LiveModel) -> None:
        self._live = live
        self._waiting: list[tuple[Key, asyncio.Future[Remembered]]] = []

    async def recall(self, text: str, **fields: int | str | None) -> Remembered:
        """Return the verdict on a text; takes the fields of ``BounceClassifier.predict_one``."""
        key = key_of(text, **fields)  # type: ignore[arg-type]
        found = self._live.classifier.remembered(key)
        if found is not None:
            return found
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Remembered] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._judge)
        self._waiting.append((key, future))
        return await future

    def _judge(self) -> None:
        part, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._judge)
        try:
            found = self._live.classifier.recall_templates([key for key, _ in part])
        except Exception as error:  # each request answers for itself
            for _, future in part:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), one in zip(part, found, strict=True):
            if not future.done():  # its client may have gone
                future.set_result(one)
