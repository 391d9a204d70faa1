"""Bounce messages: delivery status notifications, the bounces that are none, and what is no bounce.

``read.py`` decides which reader understands a message. A new kind is a function
``Mail -> list[Failure]`` named in its ``_TEXTS``, with fixtures; see the README of the
package above.
"""

from whybounce.serving.intake.messages.mailbox import FORMATS
from whybounce.serving.intake.messages.read import MessageReading, read_message

__all__ = ["FORMATS", "MessageReading", "read_message"]
