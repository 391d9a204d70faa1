"""The HTTP service (extra ``serve``): ``create_app`` returns the ASGI application."""

from whybounce.serving.http.app import create_app

__all__ = ["create_app"]
