"""Every tuned number of detection, each with where it comes from. No rule is here, only bars.

A bar was set on the domain model (`streams/scenarios`): a benign subscriber-day shall pass WATCH
with 1e-4 and THROTTLE with 1e-6. The model's rates of people are assumed; `otpguard calibrate`
measures them.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple


class Bar(NamedTuple):
    """The heights that a score has to reach."""

    watch: float
    throttle: float


# --- burst: a leaky bucket of platforms ---------------------------------------------------------

LEAK_MILLI_S: Final = 25
"""Thousandths of a sighting that leak in a second: 1.5 a minute. A person's log-ins come at least
40 s apart in the mean (domain model: 54-90 s), a flood's at 2 a minute and more."""

BURST_EXACT: Final = Bar(1.6, 2.6)
BURST_MINUTE: Final = Bar(1.5, 3.5)
"""A minute's sightings fall on one second."""
BURST_JITTER_30S: Final = Bar(2.1, 3.2)
BURST_JITTER_120S: Final = Bar(2.1, math.inf)
"""At 120 s of jitter pace is no evidence to act on. All four: level of the bucket, in sightings, by
the worth of a gateway's stamps."""

BURST_WATCH_LEAST: Final = min(
    bar.watch for bar in (BURST_EXACT, BURST_MINUTE, BURST_JITTER_30S, BURST_JITTER_120S)
)
"""The lowest WATCH bar of any class of stamps: the sieve, which knows no stamps, promotes on it."""

BURST_NOVEL: Final = Bar(3, 5)
"""Novel platforms since the bucket was last empty: a person meets old acquaintances too."""

BURST_MARGIN_MAX: Final = 3.0
"""Chosen: with it 60 platforms in 35 minutes are throttled after 14 messages instead of 6 (the
median of 400 incidents). Never negative: the sieve's own bar is the lowest WATCH bar."""

# --- slow: novel platforms within a window, in full or at a distance ----------------------------

RAW_35MIN: Final = Bar(37, 43)
"""Novel platforms, all counted. 35 min: the length of the Dalian incident."""
RAW_24H: Final = Bar(54, 61)
"""Somebody who sets up everything in one go logs in to 60 platforms at most (B2)."""

SPACED_50S_3H: Final = Bar(42, 50)
SPACED_2MIN_3H: Final = Bar(27, 32)
"""Novel platforms counted at least so far apart, within three hours: for paces between that of the
bucket and the rungs of 5 and 10 min. 43 within 35 min are less than 50 s apart, so no steady flood
takes over 50 codes. The most of 100,000 power set-ups (B2) is 48 (of 30,000) and 30, of as many new
phones (B1) 30 and 22. WATCH: what a power set-up in twenty comes to."""

SPACED_5MIN_3H: Final = (Bar(21, 24), Bar(17, 21), Bar(14, 18), Bar(12, 14))
SPACED_10MIN_24H: Final = (Bar(28, 31), Bar(22, 26), Bar(17, 22), Bar(12, 17))
"""The same, by what is known of how often a benign sighting is novel (`judge.Habit`, in its order):
fewer than 14 platforms remembered; 14 or more; the operator measured P(novel) <= .5; <= .3."""

LARGE_MEMORY: Final = 14
"""Platforms remembered: as many as the prints of a row."""

COUNT_MIN: Final = 12
"""The lowest bar of any count: with fewer novel sightings no count is looked at."""

# --- confirmed: an episode that was more than chance --------------------------------------------

CONFIRMED_LEVEL: Final = 1.9
"""Above the THROTTLE bar of the bucket. With it, or one of the counts below, an episode is more
than chance. Simulated: of 60,000 days of shared numbers (50 to 300 codes of 5 to 40 platforms in
10 h) 374 are throttled by the bucket, and 5 of those get so high. Five platforms in 10 s do too."""
CONFIRMED_35MIN: Final = 25
CONFIRMED_24H: Final = 43
"""The same days have 25 and 40 novel platforms at most; 30 in 30 minutes pass the first, 60 in a
day the second."""

# --- the sieve, and one platform that re-sends --------------------------------------------------

LOUD_MESSAGES: Final = 7
"""Messages in two neighbouring windows: from there on one platform's re-sending is looked at."""

RESEND_MESSAGES: Final = 20
"""Loud messages of one platform; a bank's retries are 4-10 in 10 min."""

RESEND_QUIET_S: Final = 1800
"""Without a loud message for so long a re-sending is over, whatever `detect.quiet_s` says."""

RESEND_RECIPIENTS_MAX: Final = 4096
"""Recipients of a partition that are looked at in one half hour; further ones are not. Chosen."""

# --- bounds of what is remembered -----------------------------------------------------------------

SUSPECT_IDLE_S: Final = 600
"""A suspect with nothing to hide is let go after so long without a message. Chosen."""

CHRONIC_MAX: Final = 65_536
"""Recipients of a partition whose days under THROTTLE are remembered. Chosen."""

GATEWAYS_MAX: Final = 1024
"""Gateways of a partition whose clocks are measured; further ones count as exact. A carrier has
dozens."""

CLOCK_SAMPLES_MIN: Final = 64
"""Samples before a gateway's clock is classed: 1,024 events."""

# --- rails around all leases ----------------------------------------------------------------------

RAILS_CLOSE_RATIO: Final = 0.8
"""An open rail shuts when the load is under this share of it. Chosen."""

RAILS_ALARM_RATIO: Final = 0.5
"""Somebody is told from this share on, while there is still room. Chosen."""

LEASE_MAX_MS: Final = 3_600_000
"""No longer lease is enforced. Chosen: the default lease is 10 min."""

EPISODE_MAX_MS: Final = 24 * LEASE_MAX_MS
"""Of an episode that is older no lease is enforced: the detector ends one after a day."""

# --- mass: messages of novel platforms ----------------------------------------------------------

MASS_10MIN: Final = Bar(38, 45)
MASS_35MIN: Final = Bar(51, 60)
MASS_1H: Final = Bar(50, 90)
"""Messages of novel platforms within a window, repeats and all. THROTTLE counts at most
`MASS_EACH` of one platform, and asks for `MASS_NOVEL` platforms in the window; WATCH counts all of
any number, so that a flood through one shared sender is watched.

10 min: six retries of each of five log-ins on a new phone are 35; power set-ups (B2) come to 19.
35 min: of 100,000 B2 the most is 50, of 8,000 with six retries of five log-ins 61, of 58,000 new
phones (B1) with them 51. An hour: 78, 91 and 68; a platform that re-sends every minute (A7) has 60,
of which 48 count. WATCH is what half of the power set-ups come to, and no new phone of 250,000.
No THROTTLE in 250,000 B1 and 100,000 B2: at most .023 per million subscriber-days at 95 %."""

MASS_NOVEL: Final = 5
"""As for the bucket. One sender alone never makes a THROTTLE, or pressing "resend" on one page
would hold all of a person's new platforms."""

MASS_EACH: Final = 9
"""Of one platform so many messages count towards THROTTLE: five platforms can reach the bar of
10 min, a page that is asked again and again beside four log-ins cannot."""

MASS_UNSURE: Final = LOUD_MESSAGES - 1
"""The most messages that may go by, or be counted early, before a loud recipient is listened to."""

MASS_HELD: Final = 256
"""Maximum number of messages kept for a suspect. The highest threshold is 150 messages in a day;
the rest is room for late messages and for messages past `MASS_EACH` of one platform."""

VOLUME_6H: Final = Bar(math.inf, 120)
VOLUME_24H: Final = Bar(math.inf, 150)
"""Messages of novel platforms in six hours and in a day, at most `MASS_EACH` of one platform. There
is no WATCH threshold. The `MASS_NOVEL` novel platforms must have come within the day, not within
the window, so an attacker who sends from four platforms at a time is found. Highest counts in six
hours: 50 in 60,000 new-phone days (B1), 90 in 60,000 power set-ups (B2), 23 in 300,000 festival
days (B3)."""

SETTLED_DAYS: Final = 7
"""Minimum age of a row, in days, for the rules `returns`, `volume_6h`, `volume_24h` and `relapse`.
On the first days of a table every platform is novel to everybody."""

# --- returns: novel platforms that come again ---------------------------------------------------

RETURNS: Final = Bar(math.inf, 13)
"""Number of novel platforms that came again within three hours. Flooding tools ask a list of
platforms round and round. The highest counts in 60,000 B1, 60,000 B2 and 300,000 B3 days were 1, 0
and 8."""

RETURN_GAP_MS: Final = 600_000
"""Minimum time between two messages of a platform for the second one to be a return. Pages that
fail are tried again within a few minutes."""

RETURN_WINDOW_MS: Final = 10_800_000
"""Maximum time between the two messages of a return, and the window over which returns are
counted."""

# --- relapse: the same flood again ----------------------------------------------------------------

RELAPSE_S: Final = 72 * 3600
"""Time after the end of an enforced THROTTLE in which the same flood is recognised. Public reports
say that runs are repeated for several days. A relapse does not extend it: numbers that many people
share would else be throttled for ever."""

RELAPSE_REST_S: Final = 11 * 86_400
"""Time after a record's end in which no new one is made. Numbers that many people share settle in
this time; with a new record after each THROTTLE they were throttled for ever."""

RELAPSE_SETTLE_S: Final = 86_400
"""Refused codes count as days on which a platform came from this long before a record's end until
`RELAPSE_REST_S` after it. Of 40 numbers that turned shared overnight 29 are throttled on the first
day and none from the sixth on; without it 17 were on the eighth day. The price: platforms of a
small flood that is refused for four days become known."""

RELAPSE_PLATFORMS: Final = 3
RELAPSE_WINDOW_MS: Final = 600_000
"""So many platforms of the earlier flood within this time reopen it."""

RELAPSE_DIVISOR: Final = 3
"""After an enforced THROTTLE the thresholds of `returns`, `volume_6h` and `volume_24h` are divided
by this number for `RELAPSE_S`."""

RELAPSES_MAX: Final = 16_384
"""Maximum number of recipients of a partition whose last flood is remembered. When it is reached, a
new flood is not remembered. Chosen: a campaign against 500,000 subscribers over 32 partitions."""

REFUSED_HELD: Final = 256
"""Platforms of a suspect whose last refused message is held, for `RETRY_S`: a wave of a tool."""

RETRY_S: Final = 90
"""A message of a platform so soon after one that a lease refused is the sender's retry: evidence of
nothing. Senders retry after 30 to 60 s; two of one platform in a wave tool are 150 s apart."""

RETRIES_S: Final = 300
"""A message that follows on such retries is one too, after the lease, until so long after the first
refusal: five retries of 60 s. What goes on for longer is no sender's, or a code sent each minute
would be a retry of the one before for ever. No longer than the half of a lease in which it is
renewed, or rows that begin before that would outlast the lease."""

RENEW_NOVEL: Final = 3
"""A lease is renewed when so many novel, untrusted platforms came since it was given, within the
half hour that ends an episode; or by the mass. Measured: see detectors/README.md."""

RENEW_NOVEL_LONG: Final = 1
"""The same where half a lease is shorter than three of the flood's gaps: four codes an hour are no
three within half an hour."""

# --- pages: texts that name nobody ----------------------------------------------------------------

PAGE_S: Final = 600
"""Unnamed texts of one template count as one platform for so long after the first of them. Chosen:
somebody who presses again and again does so within minutes. It is counted from the first text, not
from the last, so whoever asks one page from a pool of numbers without end still brings six
platforms an hour."""

PAGE_KEPT_S: Final = 3600
"""Distance from the log's time after which a first text is forgotten: gateways may be so late."""

PAGE_RECIPIENTS_MAX: Final = 65_536
PAGE_TEMPLATES_MAX: Final = 64
"""Recipients of a partition, and templates of each, whose first text is remembered. The oldest
gives way: its next number counts as a platform again. 64: as many as a suspect holds."""

# --- again: second requests under a lease ---------------------------------------------------------

AGAIN_FROM_MS: Final = 55_000
AGAIN_UNTIL_MS: Final = 150_000
"""A refused platform's second message passes from here up to there after the first. Pages let a
person ask again after a minute; tools go on to the next platform."""

AGAIN_MOST: Final = 3
AGAIN_HOT_MOST: Final = 1
AGAIN_BUDGET_MS: Final = 720_000
"""The second messages that pass within some time, of other platforms and of hot ones. With 2, 3 and
4 of the others in 10 min 42, 55 and 65 % of the log-ins of somebody wrongly throttled get through
(simulated). In 12 min: who sends everything twice gets four through at best, three times in
an incident of 35 min."""

AGAIN_HELD: Final = 64
"""Platforms whose second message is waited for, the newest: as many as a suspect holds."""

AGAIN_TOLD_MS: Final = 30_000
AGAIN_TOLD_BURST: Final = 3
"""Gateways are told of new windows once in so long in the mean, and so often at once: one that is
told late is of no use. Of the victim's new platforms that are asked for again in an incident
96 % arrive, in a rotation of two codes a minute too; with 40 s 94 %, and a tenth fewer tellings."""

# --- hot: platforms that other floods abuse -------------------------------------------------------

HOT_LEAD: Final = Bar(5, 8)
"""Of the novel platforms of a day the hot ones, less the others, never under 0. If a twentieth of
what people meet is hot, a log-in spree comes to 8 in 4 of 10^9 subscriber-days, to 4 of 10^7 where
people differ much in it (exact, by a Markov chain; see detectors/README.md)."""

HOT_LEAD_MOST: Final = 12
"""The highest THROTTLE bar that the lead may be given. 12 misses 44 % of victims of 20 codes where
the list covers three quarters of a tool; 10 is for networks whose people differ much (README)."""

HOT_BURST: Final = 5
"""The same where the bucket's level is at WATCH."""

HOT_BURST_NOVEL: Final = 2
"""Novel platforms that the bucket then has to hold: WATCH by itself asks for three, but here the
lead already says that they are a flood's, and a slow flood seldom brings three within a minute."""

HOT_DAYS: Final = 7
"""Days for which a vote counts. Lists of tools live for weeks."""

HOT_VOTE_DAYS: Final = 14
"""Days after which a vote is forgotten, and a recipient whose vote gave way has one again."""

HOT_CHRONIC_DAYS: Final = 3
"""Days of 14 under throttle from which on a number has no vote: a public one has floods of all."""

HOT_VOTERS: Final = 5
"""Recipients that have to vote for a platform. With two, an attacker who floods four numbers of his
own puts a whole line of business on the list: 40 of 40 people who sign up there are throttled."""

HOT_LIFT: Final = 3
"""The share of votes against that of what people meet: popular platforms drop out by it."""

HOT_SHARE_MILLI: Final = 50
"""The most of what people meet that may be hot, in thousandths. False alarms depend on this share
and on nothing else that an attacker can move."""

HOT_NETWORK_MILLI: Final = 75
"""The same of the network's list by what one partition counts, which chance moves: of 1,000
sightings a twentieth is 3.6 % to 6.4 % at 95 %."""

HOT_VALID_MS: Final = 86_400_000
"""A list of the network holds for a day at most; its agent tells it again every six hours."""

HOT_MAX: Final = 1000
"""Platforms of a list."""

HOT_BASE_LEAST: Final = 1000
"""Novel sightings that have to be counted before there is a list. Chosen: with fewer a platform
that a thousandth of people's codes come from might not be among them."""

# --- incidents: what is remembered of a flood -----------------------------------------------------

INCIDENT_RECORD_MAX: Final = 64
"""Messages of one record: under 20 kB, and the cost of a record is shared by many."""

INCIDENT_HOUR_MAX: Final = 600
"""Messages listed in an hour of an episode; the others are counted. Chosen: three times what the
victim of Dalian got in her 35 minutes, and a bound on what a single number can make us write."""

INCIDENT_PENDING_MAX: Final = 1 << 16
"""Messages of a partition that wait to be told, 20 MB; past it they are counted. Chosen: 64 of each
of a thousand victims at once, in one of 32 partitions."""
