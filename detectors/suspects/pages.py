"""Pages that name nobody: texts of one template that come from several numbers.

A page without a name may send each code from another number of a pool. Its platform is then only
the number, so each press of "send again" looks like a new platform. For one recipient such a text
counts as a message of the number whose text of the same template came first within ten minutes. The
sieve and the judge both count so. Leases, refusals and what is known go by the number itself, since
gateways know no templates.
"""

from __future__ import annotations

from typing import TypeAlias

from detectors.bars import PAGE_KEPT_S, PAGE_RECIPIENTS_MAX, PAGE_S, PAGE_TEMPLATES_MAX

Pages: TypeAlias = dict[int, dict[int, tuple[int, int]]]
"""Recipient -> template -> the platform that came first, and when. Bounded by `detectors.bars`."""


def count_as(pages: Pages, recipient: int, template: int, platform: int, at_s: int) -> int:
    """Return the platform that an unnamed text counts as.

    >>> pages: Pages = {}
    >>> [count_as(pages, 1, 9, platform, at_s) for platform, at_s in ((5, 0), (6, 599), (7, 600))]
    [5, 5, 7]
    """
    held = pages.get(recipient)
    if held is None:
        held = pages[recipient] = {}
        if len(pages) > PAGE_RECIPIENTS_MAX:
            del pages[next(iter(pages))]
    first = held.get(template)
    if first is not None and abs(at_s - first[1]) < PAGE_S:
        return first[0]
    held.pop(template, None)
    held[template] = platform, at_s
    if len(held) > PAGE_TEMPLATES_MAX:
        del held[next(iter(held))]
    return platform


def drop_old(pages: Pages, before_s: int, now_s: int) -> Pages:
    """Return what is left when the log's time goes on, which is looked at every ten minutes."""
    if before_s // PAGE_S == now_s // PAGE_S:
        return pages
    left: Pages = {}
    for recipient, held in pages.items():
        young = {t: first for t, first in held.items() if abs(now_s - first[1]) < PAGE_KEPT_S}
        if young:
            left[recipient] = young
    return left
