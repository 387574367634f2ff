"""The table of rules that decide whether a message is a verification code.

Each rule has an example that it must decide, and a counterexample that it must not decide. A test
checks both.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its confidence (0..1), an example, and a counterexample.

    Both examples are (text, sender, category). `confidence` is the confidence of the rule alone. If
    `weighed` is true, the linear model's sum (`model`) replaces this confidence, except for trusted
    platforms.
    """

    name: str
    confidence: float
    says: str
    example: tuple[str, str, str]
    counter: tuple[str, str, str]
    weighed: bool = False


RULES: Final = {
    rule.name: rule
    for rule in (
        Rule(
            "category-otp",
            1.0,
            "the gateway says that it is a code: that beats the text",
            ("Hello", "10690001", "otp"),
            ("Hello", "10690001", "unknown"),
        ),
        Rule(
            "category-other",
            0.0,
            "the gateway says that it is something else, and no word surely names a code",
            ("【淘宝】本周上新，全场八折", "10690001", "marketing"),
            ("【淘宝】验证码482913", "10690001", ""),
        ),
        Rule(
            "host-line",
            0.99,
            "the last line is `@host #code`, which browsers read",
            ("118204\n@shop.example.tw #118204", "", ""),
            ("write to me@shop.example.tw #118204", "", ""),
        ),
        Rule(
            "app-hash",
            0.98,
            "begins with `<#>` and ends with the 11-character hash of an Android app",
            ("<#> ExampleApp: 123456\nFA+9qCX9VSu", "", ""),
            ("<#> ExampleApp: see you soon", "", ""),
        ),
        Rule(
            "letter-code",
            0.97,
            "`G-123456`: a letter or two, a dash and 5-8 digits, beside a name for codes",
            ("G-771804 is your Google verification code.", "", ""),
            ("Form G-771804 is on the page", "", ""),
            weighed=True,
        ),
        Rule(
            "named",
            0.97,
            "the number nearest to a name that only codes have",
            ("您的验证码是：629014，请勿泄露", "", ""),
            ("您的取件码是：629014，请勿泄露", "", ""),
            weighed=True,
        ),
        Rule(
            "weak-login",
            0.9,
            "the number hangs on a weak name (code, PIN) in a text about logging in or not sharing",
            ("Your Uber code is 7710. Never share it.", "Uber", ""),
            ("Your locker code is 7710. Never share it.", "Uber", ""),
            weighed=True,
        ),
        Rule(
            "weak",
            0.7,
            "the number hangs on a weak name and nothing says that it is a parcel, shop or gate",
            ("Example: your code is 4471", "Example", ""),
            ("Example: your code is 4471 for 20% off", "Example", ""),
            weighed=True,
        ),
        Rule(
            "supported",
            0.8,
            "a number that no word names outright but several cues do: a name for codes near it,"
            " what it is for, how to keep it, where to type it in, a line of its own",
            ("Here is the code that you asked for:\n\n771204\n\nIt is valid for 5 minutes", "", ""),
            ("Here is the voucher that you asked for:\n\n771204\n\nIt is valid for 5 days", "", ""),
            weighed=True,
        ),
        Rule(
            "link-login",
            0.7,
            "a link that was made for one recipient, in a short text about a log-in or a sign-up",
            ("Tap to sign in to Slack: https://slk.example/z-app-7h2Kd0", "Example", ""),
            ("Your bill is here: https://slk.example/z-app-7h2Kd0", "Example", ""),
            weighed=True,
        ),
        Rule(
            "spam",
            0.1,
            "a named number in a casino text, or with both a link and a way to unsubscribe",
            ("注册即送彩金，输入验证码8888，网址 xpj.cc", "", ""),
            ("注册，输入验证码8888", "", ""),
            weighed=True,
        ),
        Rule(
            "cut-off",
            0.7,
            "a prefix that breaks off inside or right after a name for codes",
            ("【招商银行】您正在登录招商银行App，验", "", ""),
            ("【招商银行】您正在登录招商银行App，请知悉。", "", ""),
            weighed=True,
        ),
        Rule(
            "sender-codes",
            0.6,
            "no text, and the sender's own name is that of a code service",
            ("", "AUTHMSG", ""),
            ("", "NEWSMSG", ""),
        ),
        Rule(
            "sender-service",
            0.4,
            "no text, from a service number or an alphanumeric sender",
            ("", "10690440021", ""),
            ("", "+447700900106", ""),
        ),
        Rule(
            "sender-person",
            0.05,
            "no text, from a subscriber's number or from nobody",
            ("", "+447700900106", ""),
            ("", "10690440021", ""),
        ),
        Rule(
            "held",
            0.02,
            "the number is something else's: by the word that owns it, or by what the text tells of"
            " parcels, shops and gates",
            ("Your locker code is 7710. Never share it.", "Uber", ""),
            ("您的验证码是：629014", "", ""),
            weighed=True,
        ),
        Rule(
            "spent",
            0.03,
            "the number was a code: used, expired, wrong, or of a payment that is made;"
            " or a courier or a paired device asks for it",
            ("Code 4471 has expired", "Example", ""),
            ("Code 4471 expires in 5 minutes", "Example", ""),
        ),
        Rule(
            "crowded",
            0.2,
            "more scripts, numbers or words than the rules read: only a sure score makes a code",
            (
                "код code 코드 코드 コード รหัส कोड רמז: 4829, 0912 0913 0914 0915 0916 0917 0918",
                "",
                "",
            ),
            ("您的验证码是：629014", "", ""),
            weighed=True,
        ),
        Rule(
            "nothing",
            0.05,
            "no word makes the number a code, in a text with words that name numbers",
            ("Codes are sent at 4000 an hour", "Example", ""),
            ("您的验证码是：629014", "", ""),
            weighed=True,
        ),
        Rule(
            "wordless",
            0.2,
            "a number in a text with no word that names numbers: perhaps in another language",
            ("Besoin de toi avant 482913 ce soir", "", ""),
            ("您的验证码是：629014", "", ""),
            weighed=True,
        ),
        Rule(
            "shapeless",
            0.02,
            "digits, but nothing of the shape of a code",
            ("Your verification code expires on 12/05/2025", "Example", ""),
            ("您的验证码是：629014", "", ""),
            weighed=True,
        ),
        Rule(
            "link",
            0.05,
            "nothing of the shape of a code, but a link, and no rule says that it verifies",
            ("See the new shoes at shop.example", "Example", ""),
            ("您的验证码是：629014", "", ""),
            weighed=True,
        ),
        Rule(
            "numberless",
            0.01,
            "a text without digits and without a link",
            ("did you get the verification code?", "+12025550109", ""),
            ("您的验证码是：629014", "", ""),
        ),
        Rule(
            "rescued",
            0.6,
            "no rule finds a code, but the pieces of the text weigh for one",
            ("290715 tällä pääset takaisin Instagram-tilillesi", "Example", ""),
            ("您的取件码629014，请到驿站领取", "Example", ""),
        ),
        Rule(
            "overruled",
            0.1,
            "a rule finds a code, but the pieces of the text weigh against one",
            ("家里监控账号 13800002233 密码 mao12mi34 你装个萤石云就能看", "", ""),
            ("您的验证码 6688，请勿泄露", "Example", ""),
        ),
    )
}
"""All rules by name. The first rule that applies decides. A confidence is the share of codes among
the first texts that the rule decided, rounded down. The confidences of cut-off texts and of
messages without text are estimates; a feed with only such messages should set `confidence_min`. The
confidence in a verdict of a weighed rule is calibrated: see `model`."""
