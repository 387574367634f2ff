"""The case store: what topics forget, kept for people; and what people said about it."""

from streams.desk.store.answers import (
    Answer,
    Appeal,
    AuditLine,
    Call,
    CampaignLine,
    CaseEvent,
    CaseFile,
    CaseLine,
    Freshness,
    Hold,
    LeaseLine,
    Note,
    NoticeLine,
    PlatformLine,
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
    "CampaignLine",
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
    "Proposal",
    "RefusedLine",
    "TopicFreshness",
    "WordLine",
]
