"""All tuned numbers of detection, each with its source. Rules are in other modules.

The thresholds ("bars") were set with the domain model (`streams/tools/scenarios`). The target is
that a benign subscriber-day reaches WATCH with probability 1e-4 and THROTTLE with 1e-6. The model
assumes how often people log in; `otpguard calibrate` measures this in an operator's own traffic.

Names of scenarios in this module: A6 is a campaign against 5,000 recipients, A7 a platform that
re-sends every minute, B1 a person with a new phone, B2 a power set-up (a person who logs in to up
to 60 platforms in one go), B3 a festival evening. "Chosen" means set by judgement, without a
measurement.
"""

import math
from fractions import Fraction
from typing import Final, NamedTuple


class Bar(NamedTuple):
    """The thresholds of one score for the levels WATCH and THROTTLE."""

    watch: float
    throttle: float


# --- burst: a leaky bucket of platforms ---------------------------------------------------------

LEAK_MILLI_S: Final = 25
"""Leak of the bucket in thousandths of a sighting per second: 1.5 sightings per minute. A person's
log-ins are at least 40 s apart on average (domain model: 54-90 s). Floods bring 2 or more a
minute."""

BURST_EXACT: Final = Bar(1.6, 2.6)
BURST_MINUTE: Final = Bar(1.5, 3.5)
"""For stamps in whole minutes: all sightings of a minute have the same second."""
BURST_JITTER_30S: Final = Bar(2.1, 3.2)
BURST_JITTER_120S: Final = Bar(2.1, math.inf)
"""With 120 s of jitter, pace alone never throttles. These four thresholds apply to the bucket's
level, in sightings; the precision of a gateway's time stamps selects one of them."""

BURST_WATCH_LEAST: Final = min(
    bar.watch for bar in (BURST_EXACT, BURST_MINUTE, BURST_JITTER_30S, BURST_JITTER_120S)
)
"""The lowest of the four WATCH thresholds. The sieve promotes at this level, because the sieve does
not know the precision of the time stamps."""

BURST_NOVEL: Final = Bar(3, 5)
"""Novel platforms required since the bucket was last empty. A person who logs in quickly also uses
known platforms."""

BURST_MARGIN_MAX: Final = 3.0
"""Maximum of the setting `burst_margin`, in sightings. Chosen: with 3, a flood of 60 platforms in
35 minutes is throttled after 14 messages instead of 6 (median of 400 incidents). The margin is
never negative, because the sieve promotes at the lowest WATCH threshold."""

# --- slow: novel platforms within a window, in full or at a distance ----------------------------

RAW_35MIN: Final = Bar(37, 43)
"""Number of novel platforms in 35 minutes, the length of the Dalian incident."""
RAW_24H: Final = Bar(54, 61)
"""Number of novel platforms in 24 hours. A power set-up (B2) logs in to at most 60 platforms."""

SPACED_50S_3H: Final = Bar(42, 50)
SPACED_2MIN_3H: Final = Bar(27, 32)
"""Number of novel platforms in three hours, counted at least 50 s or 2 minutes apart.

These rules find floods that are too slow for the bucket and too fast for the gaps of 5 and 10
minutes. A flood of 43 platforms in 35 minutes has gaps below 50 s, so any steady flood is throttled
by its 50th code. The highest counts in simulation: 48 (in 30,000) and 30 (in 100,000) for power
set-ups (B2), 30 and 22 in 100,000 new phones (B1). One power set-up in twenty reaches WATCH.
"""

SPACED_5MIN_3H: Final = (Bar(21, 24), Bar(17, 21), Bar(14, 18), Bar(12, 14))
SPACED_10MIN_24H: Final = (Bar(28, 31), Bar(22, 26), Bar(17, 22), Bar(12, 17))
"""Number of novel platforms, counted at least 5 minutes apart in 3 hours or 10 minutes apart in 24.

There are four thresholds, in the order of `judge.Habit`, because benign sightings are novel more
often for some recipients: fewer than 14 platforms are remembered; 14 or more are remembered; the
operator measured P(novel) <= .5; the operator measured P(novel) <= .3.
"""

LARGE_MEMORY: Final = 14
"""Number of remembered platforms that counts as a large memory: as many as a row has room for."""

COUNT_MIN: Final = 12
"""The lowest threshold of any count. With fewer novel sightings, counts are not computed."""

# --- confirmed: an episode that was more than chance --------------------------------------------

CONFIRMED_LEVEL: Final = 1.9
"""Sightings above the bucket's THROTTLE threshold at which an episode is confirmed (more than
chance).

Simulated with 60,000 days of shared numbers (50 to 300 codes of 5 to 40 platforms in 10 h): the
bucket throttles 374 of them, and 5 of these reach this level. Five platforms in 10 s reach it too.
"""
CONFIRMED_35MIN: Final = 25
CONFIRMED_24H: Final = 43
"""Number of novel platforms in 35 minutes or 24 hours at which an episode is confirmed. The
simulated days of shared numbers have at most 25 and 40. A flood of 30 platforms in 30 minutes
passes the first, one of 60 in a day the second."""

# --- the sieve, and one platform that re-sends --------------------------------------------------

LOUD_MESSAGES: Final = 7
"""Number of messages in two neighbouring windows from which a message is loud (high rate). Loud
messages are counted per platform to find re-sending."""

RESEND_MESSAGES: Final = 20
"""Number of loud messages of one platform that is published as re-sending. A bank's retries are
4-10 messages in 10 minutes."""

RESEND_QUIET_S: Final = 1800
"""Seconds without a loud message after which a re-sending ends, independent of `detect.quiet_s`."""

RESEND_RECIPIENTS_MAX: Final = 4096
"""Maximum number of recipients of a partition watched for re-sending at a time; further ones are
ignored. Chosen."""

# --- bounds of what is remembered -----------------------------------------------------------------

SUSPECT_IDLE_S: Final = 600
"""Seconds without a message after which a suspect (under exact rules) without open evidence goes
back to the sieve. Chosen."""

CHRONIC_MAX: Final = 65_536
"""Maximum number of recipients of a partition whose days under THROTTLE are remembered. Chosen."""

GATEWAYS_MAX: Final = 1024
"""Maximum number of gateways of a partition whose clocks are measured. Further ones count as exact.
A carrier has dozens."""

CLOCK_SAMPLES_MIN: Final = 64
"""Minimum number of samples before a gateway's clock is classified: 1,024 events."""

# --- rails: limits on the number of leases --------------------------------------------------------

RAILS_CLOSE_RATIO: Final = 0.8
"""Share of a rail's limit below which a triggered rail admits new leases again. Chosen."""

RAILS_ALARM_RATIO: Final = 0.5
"""Share of a rail's limit from which an alert is raised, before the rail triggers. Chosen."""

LEASE_MAX_MS: Final = 3_600_000
"""Maximum duration of a lease that is enforced. Chosen: the default lease is 10 minutes."""

EPISODE_MAX_MS: Final = 24 * LEASE_MAX_MS
"""Maximum age of an episode whose leases are enforced. The detector ends an episode after a day."""

# --- mass: messages of novel platforms ----------------------------------------------------------

MASS_10MIN: Final = Bar(38, 45)
MASS_35MIN: Final = Bar(51, 60)
MASS_1H: Final = Bar(50, 90)
"""Number of messages of novel platforms in 10 minutes, 35 minutes or an hour, with repeats.

THROTTLE counts at most `MASS_EACH` messages of one platform, and needs `MASS_NOVEL` platforms in
the window. WATCH counts all messages of any number of platforms, so that a flood through one shared
sender is watched.

Highest counts in simulation. 10 minutes: 35 for a new phone with six retries of each of five
log-ins; 19 for power set-ups (B2). 35 minutes: 50 in 100,000 B2; 61 in 8,000 B2 with six retries of
five log-ins; 51 in 58,000 new phones (B1) with such retries. An hour: 78, 91 and 68 for the same
three; a platform that re-sends every minute (A7) sends 60, of which 48 count. Half of the power
set-ups reach WATCH, and no new phone of 250,000. No THROTTLE in 250,000 B1 and 100,000 B2: at most
.023 per million subscriber-days with 95 % confidence.
"""

MASS_NOVEL: Final = 5
"""Number of novel platforms that THROTTLE by message volume needs, as for the bucket. One sender
alone never causes a THROTTLE. Otherwise a person who presses "resend" on one page would have the
codes of all new platforms throttled."""

MASS_EACH: Final = 9
"""Maximum number of messages of one platform that count for THROTTLE. Five platforms can reach the
10-minute threshold. One page that is asked again and again, together with four log-ins, cannot."""

MASS_UNSURE: Final = LOUD_MESSAGES - 1
"""Maximum number of messages that may be missed, or counted too early, before a loud recipient
becomes a suspect."""

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
this time. With a new record after each THROTTLE, they would be throttled for ever.

Until this time is over, refused codes count as days on which their platform came, from the record's
begin on. So a platform that came on three days is known when the record ends. Of 300 numbers that
become shared overnight, 199 are throttled on the first day and 8 on the fifth. All of these 8 were
first throttled on a later day. If refused codes counted only in the record's last day, 155 were
throttled on the fifth day. The cost: platforms of a small flood that is
refused for three days become known. The limits of all platforms together then hold for them.
"""

RELAPSE_PLATFORMS: Final = 3
RELAPSE_WINDOW_MS: Final = 600_000
RELAPSE_SHARE: Final = Fraction(3, 4)
"""Number of platforms of the earlier flood that reopen the throttle, and the time in milliseconds
within which they must come. After this share of the flood's platforms, and at least five, came
within the time, a single platform reopens the throttle until the record ends.

A flooding tool asks its whole list each time, and a person asks for a few platforms. A flood of
nine to eleven platforms, run 31 times in two days, brings 150 codes in the median. It brings 212 if
three platforms are always needed, and 148 if one is always enough. But a person may have been
throttled by mistake. Of 326 of her later codes of the same platforms 9 are refused at the first
request. With one platform for everybody 128 would be. Shares of a half and of nine tenths give the
same figures.
"""

RELAPSE_DIVISOR: Final = 3
"""After an enforced THROTTLE the thresholds of `returns`, `volume_6h` and `volume_24h` are divided
by this number for `RELAPSE_S`."""

RELAPSES_MAX: Final = 16_384
"""Maximum number of recipients of a partition whose last flood is remembered. When it is reached, a
new flood is not remembered. Chosen: a campaign against 500,000 subscribers over 32 partitions."""

# --- limit: one platform that sends again and again -----------------------------------------------

LIMIT_35MIN: Final = 10
LIMIT_24H: Final = 20
"""Number of codes of one platform, after its first one, in 35 minutes or 24 hours, from which the
platform is refused alone. The platform must be unknown to the recipient, or young. A bank's retries
are 4-10 messages, and pages that fail send up to seven codes (B17)."""

YOUNG_S: Final = 7 * 86_400
"""Time in seconds for which a platform that came on one day only stays young. Then it counts as
known: a row cannot tell the code of a month ago that a person asked for from one that an attacker
sent. Of 8,100 own codes that came in floods of the same platforms, 14 were refused without this
limit of time, and 4 with it."""

LIMIT_MS: Final = 3_600_000
"""Time in milliseconds for which such a platform is refused."""

LIMIT_MORE: Final = 3
"""Number of rows of refused codes that prolong the refusal, once half of it is over. Codes less
than `RETRY_S` apart are one row."""


class TotalLimit(NamedTuple):
    """A limit on the codes of all platforms of a recipient together, within a window.

    Each platform's first code of a day is not counted, unless a lease by such a limit lasts when it
    comes. An unknown or young platform is refused from its second code of the day on. A known one
    is refused if its codes in the window are at least two and `TOTAL_SHARE` of the mean of all
    platforms that came, or if they are `enough`.
    """

    rule: str
    window_s: int
    unknown: int  # number of codes from which unknown and young platforms are refused
    known: int  # number of codes from which known platforms are refused
    enough: int  # number of codes of one known platform that is always enough
    over_by: int  # number of codes past `unknown` or `known` from which one code is enough


LIMITS_TOTAL: Final = (
    TotalLimit("limit_total_1h", 3600, unknown=54, known=58, enough=6, over_by=9),
    TotalLimit("limit_total_24h", 86_400, unknown=150, known=145, enough=3, over_by=24),
)
"""The limits on all platforms together. A platform is refused until fewer codes lie in the window.

When the limit of an hour is passed by `over_by`, each platform is refused that sent any code in
this hour, also if it was its first code of the day. In the window of a day this would refuse a
second code of platforms that the flood does not abuse.

When it is passed by `TOTAL_FAR_BY`, each platform is refused that sent a code in the last week,
before its next one arrives. Otherwise one code of each known platform of a list would still pass: a
search had found 130 codes in an hour, and the same plan brings 107 now.

Without a limit for known platforms, codes on two days would teach a platform, and a flood of such
platforms would pass without end. With it, 48 to 53 platforms that were taught so, up to 20 codes of
each in turn, bring at most 119 codes in the worst hour instead of 536. If no first code were
counted, an hour could begin with first codes under the lease of the hour before, and go on with as
many codes as the limit allows: a search over 2,000 plans had found 133 codes in an hour and 358 in
a day. It had found 570 in a day when six codes of a known platform were needed in both windows, and
417 when three were needed in a day, as 43 platforms then passed three codes each.

Of 2,160 own codes of people with 60 platforms, in floods of the same platforms, 19 are refused, and
none of 960 codes of a bank that no registry lists. If all platforms that came are refused from
eight codes past the limit on, two of the bank's are refused too, and 13 from four codes on.
"""

TOTAL_FAR_BY: Final = 24
"""A number of codes. If a recipient gets so many more codes in an hour than `LIMITS_TOTAL` allows,
the platform lease also refuses each platform that sent it a code within `TOTAL_FAR_S`."""

TOTAL_FAR_S: Final = 7 * 86_400
"""One week, in seconds. Far past the limit of an hour (`TOTAL_FAR_BY`), a platform is refused if it
sent the recipient a code within this time. An attacker makes platforms known to a recipient by
codes on the days before the flood, so these platforms sent a code in this week. In the floods
described at `LIMITS_TOTAL`, no code of the recipient's own was refused because of this rule."""

TOTAL_SHARE: Final = Fraction(7, 10)

TOTAL_LEAST_MS: Final = 300_000
"""Shortest refusal of a known platform by a limit on all platforms together, in milliseconds.

Without it, such a refusal often ends after a minute, and a retry of each sender passes after each
end and is counted. A simulated number that many people begin to share then gets 408 leases with
senders' retries and 388 without; with five minutes it gets 386 and 376."""

KNOWN_LIMITS: Final = (
    ("known_10min", 600, 8),
    ("known_1h", 3600, 16),
    ("known_24h", 86_400, 30),
)
"""Rule, window in seconds, and number of delivered codes of one known, untrusted platform during a
THROTTLE from which the platform is refused until fewer codes lie in the window.

Most platforms send one number at most 10 codes an hour, so they are never refused. The figures are
in detectors/README.md. No rule can tell the victim's own code from the flood's, so the limits only
end floods of platforms that have none. A limit of two codes in an hour for young platforms was
tried: 16 of 175 own codes of victims were refused.
"""

REPEAT_TIMES_MAX: Final = 304
"""Maximum number of codes of one platform at one recipient whose times are kept, the newest ones.
The highest threshold is 290."""

REPEATS_MAX: Final = 65_536
"""Maximum number of pairs of recipient and platform of a partition whose repeats are counted. At a
tick, the pairs that were silent longest are dropped. Chosen: a partition of 300,000 subscribers has
some 4,000 such pairs a day."""

REFUSED_HELD: Final = 256
"""Maximum number of platforms of a suspect whose last refused message is remembered: one wave of a
flooding tool."""

RETRY_S: Final = 90
"""Time in seconds after a refused message in which a message of the same platform is the sender's
retry, and no evidence. Senders retry after 30 to 60 s. A wave tool sends two codes of one platform
150 s apart."""

RETRIES_S: Final = 300
"""Time in seconds after the first refusal in which further messages still count as retries, even
after the lease has ended: five retries of 60 s.

Without this limit, a tool that sends a code every minute would be a retry for ever. The limit is at
most the half of a lease in which the lease is renewed. Otherwise a series of messages that begins
before that would outlast the lease.
"""

RENEW_NOVEL: Final = 3
"""Number of novel, untrusted platforms that renew a lease, if they came since it began and within
the half hour that ends an episode. The message volume also renews it. Measured: see
detectors/README.md."""

RENEW_NOVEL_LONG: Final = 1
"""Number of novel, untrusted platforms that renew the lease of a slow flood. A slow flood brings
too few platforms for `RENEW_NOVEL`: at four codes an hour, three never come in half an hour."""

NARROW_PLATFORMS: Final = 2
NARROW_MS: Final = 1_800_000
"""Maximum number of platforms of a flood in the last half hour, in milliseconds, with which its
lease is narrow: a platform lease of the flood's platforms and of hot ones (abused by other floods).
One more platform makes the lease full again.

Measured with a flood that then keeps its lease alive by 40 codes a day, for three days: of the
victim's 34 first codes of new platforms 21 were refused by full leases, and none by narrow ones.
With three platforms, 146 instead of 125 codes of a flood arrive that pauses after each wave of 43.
"""

# --- pages: texts that name nobody ----------------------------------------------------------------

PAGE_S: Final = 600
"""Time in seconds, from the first text, in which unnamed texts of one template count as one
platform. Chosen: people press "resend" again within minutes. The time is not measured from the last
text. So an endless flood through one page with a pool of numbers still brings six platforms an
hour."""

PAGE_KEPT_S: Final = 3600
"""Distance from the log's time, in seconds, after which a first text is forgotten. Messages from
gateways may be this late."""

PAGE_RECIPIENTS_MAX: Final = 65_536
PAGE_TEMPLATES_MAX: Final = 64
"""Maximum number of recipients of a partition, and of templates per recipient, whose first text is
remembered. The oldest entry is dropped; the next number of its template counts as a platform again.
64 is the number of sightings that a suspect retains."""

# --- again: second requests under a lease ---------------------------------------------------------

AGAIN_FROM_MS: Final = 55_000
AGAIN_UNTIL_MS: Final = 150_000
"""Begin and end of a retry window, in milliseconds after a platform's first, refused message. The
second message passes within the window. Pages let a person ask again after a minute; flooding
tools go on to the next platform."""

AGAIN_MOST: Final = 3
AGAIN_HOT_MOST: Final = 1
AGAIN_BUDGET_MS: Final = 720_000
"""Budget of retry windows: the number of second messages that pass within `AGAIN_BUDGET_MS`, for
platforms that are not hot (`AGAIN_MOST`) and for hot ones (`AGAIN_HOT_MOST`).

Simulated with 2, 3 and 4 messages in 10 minutes: 42, 55 and 65 % of the log-ins of a wrongly
throttled person get through. In 12 minutes, an attacker who sends everything twice gets at most
four codes through (three and one), and three times as many in an incident of 35 minutes.
"""

AGAIN_TOTAL: Final = 9
AGAIN_TOTAL_MS: Final = 10_800_000
"""Maximum number of second messages that pass in three hours, hot or not, over all episodes.
Otherwise a flood that lasts all day would get 15 through in each hour."""

AGAIN_REOPEN_MS: Final = 3_600_000
"""Minimum time since a second message of a platform passed, after which the platform's next message
is a first one again. The window of its last refused message must be over then (`AGAIN_UNTIL_MS`).

A person who missed the window tries again. When ten minutes without a message were needed, one code
before each request of the victim denied her a platform: 13 to 24 of 33 requests, each with three
presses, brought no code. Now every request does. Real floods gain at most four codes by this."""

AGAIN_REOPENED: Final = 12
"""Maximum number of first messages in an hour of platforms that were refused before. Each one may
publish the windows anew. Without this limit, a flood of 42 platforms round and round had 2,027
records a day instead of 254."""

AGAIN_HELD: Final = 64
"""Maximum number of platforms with a retry window, the newest ones: the number of sightings that a
suspect retains."""

AGAIN_TOLD_MS: Final = 30_000
AGAIN_TOLD_BURST: Final = 3
"""Retry windows are published at most every 30 s on average, in bursts of up to three. A window
that arrives late cannot be used. In an incident, 96 % of the victim's new platforms that are asked
for again arrive, also in a rotation of two codes a minute. With 40 s, 94 % arrive, and there are a
tenth fewer publications."""

# --- hot: platforms that other floods abuse -------------------------------------------------------

HOT_LEAD: Final = Bar(5, 8)
"""Thresholds of the hot score: hot novel platforms of a day minus other novel ones, at least 0.

Assume that a twentieth of the platforms people meet is hot. Then a log-in spree reaches 8 in 4 of
10^9 subscriber-days; in 4 of 10^7 if people differ much in this share. Exact, by a Markov chain:
see detectors/README.md.
"""

HOT_LEAD_MOST: Final = 12
"""Maximum of the setting for the THROTTLE threshold of the hot score. With 12, 44 % of victims of
20 codes are missed if the list covers three quarters of a tool's platforms. 10 is for networks
whose people differ much (see the README)."""

HOT_BURST: Final = 5
"""THROTTLE threshold of the hot score while the bucket's level is at WATCH."""

HOT_BURST_NOVEL: Final = 2
"""Number of novel platforms that the bucket needs for `HOT_BURST`. WATCH by the bucket alone needs
three. Here the hot score already shows that the platforms belong to a flood, and a slow flood
seldom brings three within a minute."""

HOT_DAYS: Final = 7
"""Number of days for which a vote counts. Lists of flooding tools are used for weeks."""

HOT_VOTE_DAYS: Final = 14
"""Number of days after which a vote is forgotten. A recipient whose vote was dropped may vote again
after this time."""

HOT_CHRONIC_DAYS: Final = 3
"""Number of days under THROTTLE, of the last 14, from which a number may not vote. A public
number gets floods of all platforms."""

HOT_VOTERS: Final = 5
"""Minimum number of recipients that must vote for a platform. With two, an attacker who floods four
numbers of his own can put a whole line of business on the list. Then 40 of 40 people who sign up
there are throttled."""

HOT_LIFT: Final = 3
"""Minimum ratio of a platform's share of the votes to its share of the platforms people meet. This
keeps popular platforms off the list."""

HOT_SHARE_MILLI: Final = 50
"""Maximum share of hot platforms among the platforms people meet, in thousandths. The rate of false
alarms depends on this share, and on nothing else that an attacker can change."""

HOT_NETWORK_MILLI: Final = 75
"""Maximum share of the platforms of the network's list, in thousandths, as one partition measures
the share. It is above `HOT_SHARE_MILLI`, because a partition's count varies by chance: with 1,000
sightings, a twentieth is measured as 3.6 % to 6.4 % (95 %)."""

HOT_VALID_MS: Final = 86_400_000
"""Maximum validity of a list of the network: one day. The agent publishes a new one every six
hours."""

HOT_MAX: Final = 1000
"""Maximum number of platforms of a list."""

MEMORY_MAX: Final = 86
"""Maximum number of platforms of a memory record: all that a row with its overflow can remember."""

MEMORY_AGE_MS: Final = 30 * 86_400_000
"""A memory record that is older than this is refused. Chosen: an import takes hours, and a month
later a log from before the record would be a surprise."""

RECYCLED_MAX: Final = 4096
"""Maximum number of recycled numbers remembered per partition, with their day. Chosen: a month of
a carrier with ten million numbers in 32 partitions, of which a hundredth changes hands a month."""

HOT_BASE_LEAST: Final = 1000
"""Minimum number of novel sightings counted before there is a list. Chosen: with fewer, a platform
with a thousandth of people's codes might not be among them."""

# --- incidents: what is remembered of a flood -----------------------------------------------------

INCIDENT_RECORD_MAX: Final = 64
"""Maximum number of messages of one incident record. A record is then below 20 kB, and its overhead
is shared by many messages."""

INCIDENT_HOUR_MAX: Final = 600
"""Maximum number of messages listed per hour of an episode; further ones are only counted. Chosen:
three times the messages of the Dalian incident (35 minutes). This also limits how much a single
number can make us write."""

INCIDENT_PENDING_MAX: Final = 1 << 16
"""Maximum number of pending messages of a partition, 20 MB; further ones are only counted. Chosen:
64 messages for each of a thousand victims at once, in one of 32 partitions."""
