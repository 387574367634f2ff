"""The case store: a database of cases for people.

It keeps records after Kafka retention deletes them, and what people wrote about the cases.
"""

from streams.desk.store.answers import (
    Answer,
    Appeal,
    AuditLine,
    Call,
    CampaignList,
    CaseEvent,
    CaseFile,
    CaseLine,
    Freshness,
    Hold,
    LeaseLine,
    Note,
    NoticeLine,
    PlatformLine,
    PlatformList,
    RefusedLine,
    TopicFreshness,
    WordLine,
)
from streams.desk.store.roles import Account, DeskRole, DeskSession, Proposal
from streams.desk.store.store import CaseStore

__all__ = [
    "Account",
    "Answer",
    "Appeal",
    "AuditLine",
    "Call",
    "CampaignList",
    "CaseEvent",
    "CaseFile",
    "CaseLine",
    "CaseStore",
    "DeskRole",
    "DeskSession",
    "Freshness",
    "Hold",
    "LeaseLine",
    "Note",
    "NoticeLine",
    "PlatformLine",
    "PlatformList",
    "Proposal",
    "RefusedLine",
    "TopicFreshness",
    "WordLine",
]
