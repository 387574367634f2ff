"""Unnamed pages: texts of one template that name no platform and come from several numbers.

A page without a name may send each code from another number of a pool. Its platform is then only
the number, so each press of "send again" looks like a new platform. For one recipient, such a text
counts as a message of another number: the first one that sent the same template within ten minutes.
The sieve (fast check of all) and the judge (exact rules) use this number. Leases, refusals and the
memory of known platforms use the real number, because gateways know no templates.
"""

from typing import TypeAlias

from detectors.thresholds import PAGE_KEPT_S, PAGE_RECIPIENTS_MAX, PAGE_S, PAGE_TEMPLATES_MAX

Pages: TypeAlias = dict[int, dict[int, tuple[int, int]]]
"""Recipient -> template -> (platform that sent it first, time of that text in seconds).

The limits `PAGE_RECIPIENTS_MAX` and `PAGE_TEMPLATES_MAX` bound the size.
"""


def count_as(pages: Pages, recipient: int, template: int, platform: int, at_s: int) -> int:
    """Return the platform that an unnamed text counts as, and remember the text.

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
    """Return `pages` without entries that are over `PAGE_KEPT_S` from `now_s`, the log's time.

    The clean-up runs only when `before_s` and `now_s` lie in different `PAGE_S` (ten minute) steps.
    """
    if before_s // PAGE_S == now_s // PAGE_S:
        return pages
    left: Pages = {}
    for recipient, held in pages.items():
        young = {t: first for t, first in held.items() if abs(now_s - first[1]) < PAGE_KEPT_S}
        if young:
            left[recipient] = young
    return left
