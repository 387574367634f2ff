"""The desk's console: pages for the person who picks up the phone.

Starlette, Jinja2 and htmx; every guard stands on the server, and all but the live parts works
without a script.
"""
