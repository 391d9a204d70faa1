"""``whybounce review``: label what is worth a look, in the terminal."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from whybounce.serving.cli.feedback import JsonOption, StoreOption, opened
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import print_json, progress_bars, stderr, stdout
from whybounce.serving.cli.serve import STORE

if TYPE_CHECKING:
    from whybounce.model.predictor import BounceClassifier
    from whybounce.model.taxonomy import Taxonomy
    from whybounce.training.feedback.records import ReviewItem
    from whybounce.training.feedback.store import FeedbackStore

WHY = {"unsure": "unsure", "disagree": "model and rules disagree", "both": "unsure, and model and rules disagree"}


def review(
    diagnostics: Annotated[
        str | None,
        typer.Option("--from", help="First put what is worth a look of this file of diagnostics into the queue."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of that file.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Templates to show.")] = 50,
    source: Annotated[
        str | None, typer.Option(help="Who labels; your user name by default.", show_default=False)
    ] = None,
    feedback_url: StoreOption = STORE,
    artifact: ArtifactOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label the templates that whybounce is unsure of, or on which model and rules disagree.

    Most valuable first: how often a template was met, times what a wrong answer costs.
    The service fills the queue as it predicts.
    """
    classifier = load(artifact)
    with opened(feedback_url) as store:
        if diagnostics is not None:
            _fill(store, classifier, diagnostics, column)
        total, items = store.queue.page(limit=limit)
        if as_json:
            print_json({"total": total, "items": [item.to_dict() for item in items]})
            return
        if not items:
            stderr.print(
                "nothing to review; the service adds what it is unsure of, and so does: whybounce review --from FILE",
                highlight=False,
                soft_wrap=True,
            )
            return
        stderr.print(
            f"templates that wait: {total}. A number or a reason labels, s skips, q ends.",
            highlight=False,
        )
        labelled = _ask(store, classifier, items, source or _user())
    stderr.print(f"{labelled} labelled; train with them: whybounce train --feedback", highlight=False)


def _fill(store: FeedbackStore, classifier: BounceClassifier, source: str, column: str | None) -> None:
    from whybounce.serving.cli.records import read
    from whybounce.training.feedback.review import Collector

    collector = Collector(lambda: classifier, store.queue.flag)
    with progress_bars() as report:
        for done, record in enumerate(read(source, column=column), start=1):
            collector.observe(classifier.predict_one(record.text, **record.fields), 1)
            if done % 1000 == 0:
                report("predicting", done, done)
    stderr.print(f"{collector.write()} of the templates in {escape(source)} are worth a look", highlight=False)


def _ask(store: FeedbackStore, classifier: BounceClassifier, items: list[ReviewItem], source: str) -> int:
    from whybounce.training.feedback.records import NewFeedback

    labelled = 0
    for number, item in enumerate(items, start=1):
        choices = _choices(item)
        _show(number, len(items), item, choices)
        while True:
            try:
                answer = typer.prompt("reason", default="s", show_default=False).strip()
            except (typer.Abort, EOFError):
                return labelled
            if answer == "q":
                return labelled
            if answer == "s":
                break
            reason = _meant(answer, choices, classifier.taxonomy)
            if reason is None:
                continue
            prediction = classifier.predict_template(item.subject.template, **item.subject.fields())
            store.add(NewFeedback(item.subject, reason, source=source).seen(prediction))
            labelled += 1
            break
    return labelled


def _choices(item: ReviewItem) -> list[str]:
    flag = item.flag
    found = [
        flag.reason,
        *(reason for reason, _ in flag.alternatives),
        *([flag.rules_reason] if flag.rules_reason else []),
    ]
    return list(dict.fromkeys(found))


def _show(number: int, total: int, item: ReviewItem, choices: list[str]) -> None:
    flag = item.flag
    met = "once" if item.count == 1 else f"{item.count:,} times"
    stdout.print(f"\n[dim]{number}/{total}[/]  met {met}, {WHY[flag.why]}", highlight=False)
    about = [
        str(part) for part in (item.subject.reply_code, item.subject.enhanced_status, item.subject.provider) if part
    ]
    stdout.print(f"  [bold]{escape(item.subject.template)}[/]  [dim]{escape(' '.join(about))}[/]", soft_wrap=True)
    confidence = {flag.reason: flag.confidence, **dict(flag.alternatives)}
    for place, reason in enumerate(choices, start=1):
        notes = [f"{confidence[reason]:.2f}"] if reason in confidence else []
        notes += ["answered"] if reason == flag.reason else []
        notes += ["the rules"] if reason == flag.rules_reason else []
        stdout.print(f"  {place}  {escape(reason)}  [dim]{', '.join(notes)}[/]", highlight=False)


def _meant(answer: str, choices: list[str], taxonomy: Taxonomy) -> str | None:
    if answer.isdecimal() and 1 <= int(answer) <= len(choices):
        return choices[int(answer) - 1]
    if answer in taxonomy:
        return answer
    fitting = [reason for reason in taxonomy.reasons if reason.startswith(answer)]
    if len(fitting) == 1 and answer:
        return fitting[0]
    said = f"may be {' or '.join(fitting)}" if fitting else "is not a reason; whybounce reasons lists them"
    stderr.print(f"{escape(repr(answer))} {said}", highlight=False, soft_wrap=True)
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "reviewer"
