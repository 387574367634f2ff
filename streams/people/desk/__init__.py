"""The web console of the desk: pages for staff who answer calls from subscribers.

It uses Starlette, Jinja2 and htmx. The server checks every right. Everything works without
JavaScript except the parts that update live.
"""
