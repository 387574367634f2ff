"""Find numbers, links and sentences in a text, in every language.

All patterns work on folded text with masked digits (`fold`). No pattern has an unbounded repetition
inside another repetition, so every search takes linear time.
"""

import re
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.sentences import STOP

NUMBERS_MAX: Final = 12  # numbers per text, at most; chosen: no code follows a dozen such numbers

_NATIVE: Final = "\u0370-\u052f"  # Greek and Cyrillic
_DASH: Final = "\u2010-\u2015-"
_GLUED_UNITS: Final = (  # 50rb, 300tl, 10gb: an amount, a size, an order
    "(?:rb|ribu|jt|juta|k|mt|tl|dk|gb|mb|kb|tb|kg|km|cm|mm|m|g|ml|min|mins|phut|tr|h|hs|hrs|x|st|nd|rd|th"
    "|usd|eur|rs|rp|lei|kn|din|kc|ft|zl|sek|nok|dkk|chf|pts|p|d|w|v|kw|kwh|mah|mbps|hp|usdt|won|yen|baht|fps|px|hz|mhz"
    "|kcal|rpm|sqft|pcs|lbs|mln|tys|naira|yuan|sats|coins|miles|steps|secs?|seconds|weeks?|months?|years?|off)"
)
_GLUED_WORDS: Final = (  # short words: "0000is your code"; other letters may belong to the code
    "is|es|er|on|ar|as|to|do|je|ta|est|ist|din|for|use|not|and"
)
_NUMBER: Final = re.compile(
    # Not inside a word, a longer number, an amount, a time, an address, or a card's `*0000`.
    # Marks of emphasis on both sides are no such signs: *482913*, _482913_. Nor is the full stop of
    # a sentence whose last word has five letters, or the dots of "code...482913".
    "(?:(?P<marked>(?:(?<=(?<![\\w*])[*_])|(?<=(?<![\\w*])[*]{2}))(?=0{3,8}[*_]{1,2}(?![\\w*])))"
    "|(?<=[^\\W\\d_]{5}[.])(?=0{4,8}(?![\\w.]))|(?<=ode[.]{3})(?=0{4,8}(?![\\w.]))"
    "|(?<![0-9a-z_@*+$€£¥₩₹₽฿₫%/&.]))(?=[0a-z零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖\u0370-\u052f])"
    f"(?<!0[:,.{_DASH}])(?<!0 )"
    "(?:"
    # A number followed by a word without a space: "482913valid for 5 min".
    f"(?P<glued>(?<!-)0{{4,8}}(?!{_GLUED_UNITS}(?![a-z]))"
    f"(?=(?:{_GLUED_WORDS})\\s|(?=[a-z]{{0,9}}[aeiouy])(?:(?<=0{{6}})[a-z]{{4}}|[a-z]{{5}})"
    "[a-z]{0,20}(?![0-9a-z_@&/-])))"
    "|(?:"
    "(?P<letter>[a-z]{1,2}-0{5,8})"
    f"|(?P<plain>0{{3}}[ {_DASH}]0{{3}}|0{{4}}[ {_DASH}]0{{4}}|0(?:[ -]0){{3,7}}(?![ -]0)|0{{4,8}})"
    "|(?P<mixed>(?=[a-z]{0,8}0)(?=0{0,8}[a-z])[0-9a-z]{4,9}(?![#$@!&_][0-9a-z]))"
    f"|(?P<dashed>(?:00[{_DASH}]){{2,3}}00|000/000"
    f"|00 00 00(?! 0)|00 00(?! 0)|000[.]000"
    f"|000[ {_DASH}]0000|0000[ {_DASH}]00(?!0{{2}})0?|00[ {_DASH}]0000"
    f"|(?=[a-z{_DASH}]{{0,6}}0)(?=[0{_DASH}]{{0,6}}[a-z])"
    f"[0-9a-z]{{2,5}}[{_DASH}][0-9a-z]{{2,5}})"
    "|(?P<spelled>[零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖]{4,8})"
    "|(?P<cut>0{1,3}(?=$))"
    "|(?P<odd>0{9,10}|000|(?=[a-z#$@!&_-]{0,8}0)(?=[^ ]{0,8}[a-z])"
    "(?:(?:[0-9a-z]{1,10}-){2,3}|(?:[0-9a-z]{1,10}[#$@!&_]){1,3})[0-9a-z]{1,10}[!#$]?"
    "|(?=[a-z]{0,2}0)(?=0{0,2}[a-z])[0-9a-z]{3}(?![#$@!&-][0-9a-z]))"
    # Letters of other alphabets between digits: К7М2Т.
    f"|(?P<native>(?<![{_NATIVE}])(?=[0{_NATIVE}]{{4,9}}(?![0{_NATIVE}]))"
    f"(?:[{_NATIVE}]{{1,4}}0{{1,4}}[{_NATIVE}][0{_NATIVE}]*|0{{1,4}}[{_NATIVE}]{{1,4}}0[0{_NATIVE}]*))"
    ")"
    "(?(marked)(?=[*_])|(?![0-9a-z_%*@]))"
    # "482913,valid" and "482913,5分钟" have no space after the comma.
    f"(?![:/{_DASH}][0-9a-z]|[.](?:0|[a-z]+(?![a-z ]))"
    f"|,0{{1,3}}(?!0|\\s?(?:分|min|mn|phut|นาที|dk|мин))"
    "|[ ]0{3,}|[ ]?/[ ]?0)"
    ")"
)
_LETTERS_BEFORE: Final = 8  # the first digit is among the first nine characters of each form
_SPELLED: Final = re.compile("[零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖]{4}")
MONEY_CODES: Final = (
    "tzs|ugx|ksh|tsh|etb|birr|ghs|rwf|zmw|bwp|mwk|mzn|xof|xaf|npr|lkr|bdt|mmk|qar|omr|kwd|bhd|jod|egp"
    "|dzd|tnd|thb|sgd|hkd|twd|cny|rmb|jpy|krw|rub|uah|kzt|uzs|byn|bgn|rsd|isk|brl|clp|pen|pyg|aud|nzd"
)
"""Currency codes that are not also words. A number beside such a currency code is an amount."""
_SIGNS: Final = any_of(
    branches(
        "之前|之后|以前|条|則|通|件|건|元|円|원|圆|折|年|月|日|号|號|点|點|分|小时|小時|天|人|件|个|個|名|万|萬|亿|秒|岁|楼|室|层|积分|積分"
        "|時|회|명|개|일|월|년|시|₽|₫|₪|₹|€|[$]|£|đ|%|#|บาท|บ[.]|ريال|تومان|درهم|جنيه|रुपये"
        '|دينار|ليره|دولار|يورو|ש["״]ח|שקל|руб|тенге|грн'
        "|টাকা|রুপি|रुपए|रुपया|ਰੁਪਏ|રૂપિયા|ரூபாய்|రూపాయలు|రూపాయల|ರೂಪಾಯಿ|രൂപ|රුපියල්|ກີບ|រៀល|ကျပ်|ლარ|դրամ|ብር|روپے|روپيه"
    )
)
_UNITS: Final = any_of(
    branches(
        "gb|mb|kb|km|kwh|kg|lakh|eur|euros?|usd|inr|tl|rp|vnd|руб|р[.]|dinar|days?|hours?|hrs?"
        "|minutes?|mins?|am|pm|uhr|customers?|points?|pts|people|usdt|btc|eth|fcfa|cfa|pesos?|soles|reais|dirhams?|riyals?|baht|ringgit|pkr|chf|zl"
        "|ft|huf|kc|czk|kr|sek|nok|dkk|ron|pln|gbp|aed|sar|mxn|cop|kes|ngn|zar|php|idr|vnd|myr|azn|mnt"
        "|dong(?! y| thoi)|toman|rials?|rupiah|lirasi|taka|naira|tenge|manat|dollars?"
        "|rubl(?:ei|ey|ya|iv)|grn|hryven|forint|zlotych|shillings?|cedis|francs?|rupees?"
        f"|{MONEY_CODES}"
    ),
    after="(?![a-z])",
)
_CALLED: Final = (  # a number to call
    "पर (?:शिकायत|कॉल|काल|संपर्क|सम्पर्क|फोन|रिपोर्ट|सूचना)"
    "|[へに](?:お?電話|通報|ご?連絡)|으?로 (?:신고|전화|문의|연락)"
    "|['’]?[yn]?[iıue] ara(?:yin|$)"
)
_ON_PAPER: Final = (  # a number to write by hand, or beside a transfer; a form may be a page
    "(?:on|across) (?:the |your )?(?:envelope|label|parcel|slip|back|cheque|receipt|carton|cover)"
    "|(?:en|al) (?:el |la |tu |su )?(?:sobre|etiqueta|comprobante|dorso|reverso|concepto)"
    "|n[oa] (?:verso|envelope|etiqueta|comprovante|talao)"
    "|sur (?:l['’]|le |la |votre |ton )?(?:enveloppe|etiquette|carton|colis|bordereau|cheque)"
    "|au dos"
    "|(?:als|in den|im) (?:betreff|verwendungszweck|zahlungsgrund)"
    "|auf (?:den|das|dem|ihren|deinen) [a-z-]{0,16}(?:umschlag|paket|karton|schein|etikett|zettel)"
    "|sul(?:la|l['’])? ?(?:busta|bollettino|etichetta|pacco|scatola|retro)|nella causale"
    "|(?:di|pada) (?:amplop|berita|label|paket|kertas)"
    "|(?:vao|len|tren) (?:noi dung|phong bi|bi thu)"
    "|na (?:kopercie|paczce|odwrocie|obalku|balik)"
    "|на (?:конверт|коробк|квитанц|обороте|посылк)|(?:علي|في) (?:ال)?(?:ظرف|مغلف|ورقه|طرد|علبه)"
    "|(?:लिफाफे|लिफ़ाफ़े|पर्ची) पर|[写寫][在到于](?:信封|纸|紙|包裹|箱)|と?封筒"
)
_RATE: Final = (  # pay per week, a frequency, or a year; but not "годен" ("valid")
    "\\s?(?:(?:a|per|each|every) (?:day|week|month|hour|shift)"
    "|pro (?:tag|woche|monat|stunde|schicht)|por (?:dia|semana|mes|hora)|al (?:dia|mes|giorno|mese)"
    "|par (?:jour|semaine|mois|heure)|a settimana|dziennie|tygodniowo|miesiecznie"
    "|(?:per|se) ?(?:hari|minggu|bulan)|(?:mot|moi) (?:ngay|tuan|thang)"
    "|(?:в|за|на) (?:ден|день|неделю|месяц|час|смену|тиждень|місяць|годину|зміну)"
    "|times|veces|vezes|volte|fois|razy|раз[аи]?|гг?|год(?:а|у|ов|ом|е)?|рок(?:у|ів|и)|рік)(?![^\\W\\d_])"
)
_UNIT_AFTER: Final = re.compile(
    # "999+件": 999 or more
    f"['’][dt][ae]n?(?![a-z])|\\+?\\s?(?:{_SIGNS.pattern}|{_UNITS.pattern}|{_CALLED}|{_ON_PAPER})|{_RATE}"
)
_MONEY_BEFORE: Final = re.compile(
    "(?:[$€£¥₩₽₹฿₫№]|(?<!code: )#|(?<![a-z])(?:rs[.]?|inr|nt|usd|eur|rp|rm|no[.]?|nr[.]?|n°"
    f"|sr|kes|ngn|zar|pkr|aed|sar|gbp|chf|idr|vnd|php|myr|mxn|cop|pln|czk|huf|ron|{MONEY_CODES}))\\s?$"
)
_MORE_THAN: Final = re.compile(  # "more than", "less than", "about"
    "(?<![^\\W\\d_])(?:(?:more|less|fewer) than|nearly|almost|approximately|at least"
    "|m[ae]s de|menos de|alrededor de|mais de|cerca de|plus de|moins de|pres de|environ"
    "|mehr als|weniger als|knapp|rund|etwa|piu di|meno di|oltre|circa|ponad|prawie"
    "|lebih dari|kurang dari|sekitar|hampir|hon|khoang"
    "|(?:более|менее|больше|меньше)(?: чем)?(?: в| на| у)?|свыше|около|почти|примерно"
    "|понад|близько)\\s$"
)
_MORE_CHARS: Final = 20
_END_MARK: Final = re.compile("(?:^|[^a-z:=]\\s)b0{3}\\s{0,8}$")  # Turkish carriers put B001 there
_MOMENT: Final = re.compile(  # a day, or a time as it is written in French and Portuguese
    "0{1,2}h(?:0{2}(?:min)?)?"
    f"|0{{1,2}}[{_DASH}]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ago|out|okt)[{_DASH}]?0*"
)

_CARD: Final = re.compile(  # the last digits of a card, written together with its name: VISA4471
    "(?:visa|mir|maes|maestro|ecmc|mc|mast|mastercard|amex|jcb|elo|rupay|humo|uzcard)-?0{2,4}"
)
_GLUED: Final = re.compile(f"0{{1,6}}(?:{_GLUED_UNITS}|m0)|0{{1,3}}(?:er|e|eme)")
_SMS: Final = (  # "sms STOP to 0000"; a noun beside a code's name: "kod sms do logowania to"
    "sms"
    + "".join(
        f"(?<!{name} sms)"
        for name in (
            *("kod", "kody", "kod z", "kod przez", "haslo", "haslo z", "code", "codice", "codigo"),
            *("clave", "contrasena", "senha", "token", "pin", "kode", "koda", "kodu", "cod", "код"),
            *("пароль", "code par", "code via", "code per", "codice via", "codigo por"),
        )
    )
    + "(?![ -]?(?:kod|haslo|cod|tan|pin|clave|senha|token|otp|код|пароль)[^\\W\\d_]{0,5} "
    "(?:for|to(?= [a-z])|do|pro|na|k|ke|z|za|per|par|pour|para|de|del|di|da|fur|zum|zur|voor|om"
    "|til|till|ved|untuk|utk|для|на|к|при|от|за) )"
)
_SENT: Final = (  # verbs of sending: "text STOP to 0000"
    f"(?:text|txt|{_SMS}|dms|stop|send|reply|whatsapp|envoy|repond|votez|envia|manda|mande|responde|envie"
    "|sende|senden|antwort|schick|spende|invia|rispond|soan|nhan tin|gui|ketik|kirim|balas|hantar"
    "|taip|yaz|gonder|yolla|wyslij|stuur|doneer|poslji|posalji|glasaj|posli|odpovez|kuld"
    "|trimite|lahet|vasta|skicka|isprati|dergo|atbild|sut[ei]|siusk|saada|tuma|aika|tura|u dir"
    "|thumela|bidali|yubor|mag-?register"
    "|отправ|отошл|пошл|изпрат|надішл|прати|пошаљ|испрати|στείλ|στειλ|ارسل|بفرست|ارسال|שלח|השב"
    "|भेज|ส่ง|พิมพ์|გააგზავნ|გაგზავნ|ուղարկ|ផ្ញើ|ສົ່ງ|илгээ"
    "|发送|發送|编辑|編輯|发短信|回复|回覆|傳送|传送|送信|보내|전송)"
)
_SENT_TO: Final = re.compile(  # not "kod SMS to", which is Polish for "is"
    f"{_SENT}[^.!?。！？\n]{{0,60}}?"
    "(?:(?<![a-z])(?<!kod sms )(?<!haslo sms )(?<!kod z sms )(?<!sms kod )"
    "(?:to|zu|au|al|a|ao|para|pro|an|ke|toi|den|qua|naar|na|la|til|till|pada|no|uz|ne"
    "|sa|kwenda|zuwa|ku|numeriu|numbrile|numeroon|lambarka|gui"
    "|[nd]est[ea]|[nd]ess[ea]|com(?= est| ess)|con(?= est| es[ea]))"
    "|στο|на номер|на|الى|لرقم|به|למספר|לנייד|ל|पर|ไปที่|มาที่|ნომერზე|ទៅ|ຫາ|到|至|へ|に)"
    "(?: (?:est[ea]|ess[ea]|o meu|meu|mi|el|my|this|the|your|ce|mon|diese[rn]?|meine|questo|il))?"
    "(?: (?:nr|numer|numero|no|nomor|number|so|short ?code|numarasi|nummer|номер"
    "|cont[ao]|cuenta|account|compte|konto)[.]?)?"
    "\\s?:?\\s?#?[*]?$"
)
_TO_SEND: Final = re.compile(  # "8888'e gönder", and "8888'e EVET yaz", but not "8888 yaz"
    "(?:['’]?[yn]?[ae])?\\s?(?:numara(?:miza|sina)|nomresine|ya|no.ya)? ?"
    "(?:[a-z]{3,9} )?(?:sms |mesaj )?"
    "(?:gonder|yolla|at(?:in|arak|iniz))"
    "|(?:['’]?[yn]?[ae]|\\s?(?:numara(?:miza|sina)|nomresine|ya|no.ya)) ?"
    "(?:[a-z]{3,9} )?(?:sms |mesaj )?yaz\\b"
    "|-?y?[aəe] (?:[a-z]{3,9} )?gond[eə]r"
    "|\\s?(?:번으로|로 문자|으로 문자|(?:으로|로) (?:보내|전송)|に送信|へ(?:送信|返信)|宛"
    "|पर (?:भेज|sms)|वर पाठव|मा पठाउ)"
    "|\\s(?:senden|schicken|sturen|szamra|zenbakira|(?:raqami)?ga yubor|нөміріне жібер"
    "|номерине жөнөт"
    "|руу илгээ|дугаарт илгээ|համարին|நம்பருக்கு|எண்ணுக்கு|க்கு அனுப்ப|కి (?:పంప|sms)|ಗೆ ಕಳ|ലേക്ക് അയ"
    "|ને મોકલ|પર (?:મોકલ|sms)|['’]?ਤੇ (?:ਭੇਜ|sms)|ට (?:යව|එව)|নম্বরে পাঠা|এ পাঠা|پر بھيج|پر ارسال"
    "|را ارسال|ይላኩ|သို့ ပို့)"
)
_SENT_CHARS: Final = 80
_SENT_WITH: Final = re.compile(f"{_SENT}[^.!?\\n0]{{0,20}}$")  # "send code 0000 to 000"
_TO_SHORT: Final = re.compile(
    "\\s(?:to|на|al?|para|au|an|ke|toi|den|na|naar)\\s(?:the |el |le |o )?"
    "(?:номер|number|numero|nomor|short ?code|nummer|so)?[.]?\\s?0{3,6}(?![0-9])"
)

_LINK: Final = re.compile(
    "h(?:tt|xx)ps?://\\S+"  # people who forward a dangerous link write hxxp
    "|(?<![@\\w.-])(?:[a-z0-9-]{1,40}+[.]){1,4}"
    "(?:com|cn|net|org|io|cc|co|me|ru|br|de|fr|it|in|id|tr|vn|th|il|ir|ae|uk|us|info|top|xyz|vip"
    "|example|app|ly|gl|tv|shop|site|club|link|gov|tw|hk|jp|kr|live|bet|win|online|store|pro|fun|icu|mobi|biz)(?:[./]\\S*)?(?!\\w)"
)
_DIGITS: Final = re.compile("0+(?:[ -]000)?")
_MONTHS: Final = (  # beginnings of month names
    "jan|ian|ene|gen|fev|feb|fab|mar|mac|mrt|apr|abr|avr|mai|maj|may|mei|mag|giu|jun|iun|juin|lug|jul|iul|juil"
    "|aug|ago|agu|ags|agt|aou|set|sep|oct|okt|ott|out|nov|noi|dec|dez|des|dic|dis"
    "|sty|lut|kwi|cze|lip|sie|wrz|paz|lis|gru|led|uno|bre|dub|kve|cer|srp|zar|rij|pro|sij|velj|ozu|tra|svi|kol"
    "|oca|sub|nis|haz|tem|eyl|eki|kas|ara|thang"
    "|янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|ное|дек|січ|лют|бер|кві|тра|чер|лип|сер|вер|жов|лис|гру"
    "|ιαν|φεβ|μαρ|απρ|μαι|ιουν|ιουλ|αυγ|σεπ|οκτ|νοε|δεκ"
    "|يناير|فبراير|مارس|ابريل|مايو|يونيو|يوليو|اغسطس|سبتمبر|اكتوبر|نوفمبر|ديسمبر"
    "|فروردين|ارديبهشت|خرداد|تير|مرداد|شهريور|مهر|ابان|اذر|دي|بهمن|اسفند"
    "|[בה]?ינואר|[בה]?פברואר|[בה]?מר[ץצ]|[בה]?אפריל|[בה]?מאי|[בה]?יוני|[בה]?יולי|[בה]?אוגוסט"
    "|[בה]?ספטמבר|[בה]?אוקטובר|[בה]?נובמבר|[בה]?דצמבר"
    "|जनवरी|फरवरी|मार्च|अप्रैल|मई|जून|जुलाई|अगस्त|सितंबर|सितम्बर|अक्टूबर|नवंबर|नवम्बर|दिसंबर|दिसम्बर"
    "|জানু|ফেব্রু|মার্চ|এপ্রিল|মে|জুন|জুলাই|আগস্ট|সেপ্টে|অক্টো|নভে|ডিসে"
    "|มกรา|กุมภา|มีนา|เมษา|พฤษภา|มิถุนา|กรกฎา|สิงหา|กันยา|ตุลา|พฤศจิกา|ธันวา"
)
_YEAR: Final = re.compile(  # "24 August 2031", "24 de agosto de 2031", "August 24, 2031"
    "(?<!0)0{1,2}(?:st|nd|rd|th|er|[.])?[ -]?(?:de |di |d['’])?"
    f"(?:{_MONTHS})[^\\s0,;:]{{0,10}} (?:de |del )?$"
    f"|(?<![^\\W\\d_])(?:{_MONTHS})[^\\W\\d_]{{0,8}} 0{{1,2}}, ?$"
)
_YEAR_CHARS: Final = 28  # longest text of day and month before a year
_GROUP_AFTER: Final = re.compile("[ -]?0{2}")
_DOTTED: Final = re.compile("[.][a-z]|://")  # in every link, and in few other texts

HOST_LINE: Final = re.compile(
    "(?:^|\n)@((?:[a-z0-9-]{1,63}[.]){1,8}[a-z0-9-]{1,63}) ?#([0-9a-z]{4,10})"
    "(?: ?[@%]\\S+)?\\s{0,8}$"
)
"""Origin-bound one-time codes (WICG): the host and the code on the last line."""

_APP_HASH: Final = re.compile("\\s([0-9a-z+/]{11})\\s{0,8}$")

_LETTER: Final = re.compile("[^\\W\\d_]")


class Form(Enum):
    """The forms in which a number is written."""

    PLAIN = "plain"  # 4-8 digits, 3+3, 4+4, or spaced one by one
    LETTER = "letter"  # G-123456
    MIXED = "mixed"  # 4-9 letters and digits: a code only with a name
    DASHED = "dashed"  # QX4-81T, 62-75-18, 62 75, 627.518, 627 5180: a code only with a name
    SPELLED = "spelled"  # 一二三四
    CUT = "cut"  # fewer digits at the very end: the text may have been cut there
    LETTERS = "letters"  # KXQRTB: a code only directly after a name
    ODD = "odd"  # 627, 8KD, 9 or 10 digits, bib#62k: a code only directly after a name


_FORMS: Final = {form.value: form for form in Form} | {"native": Form.MIXED, "glued": Form.PLAIN}


class Number(NamedTuple):
    """A number that may be a code, with its place and form."""

    start: int
    code: int  # begin of the code itself, after a letter and a dash
    end: int
    form: Form

    @property
    def sure(self) -> bool:
        """True if the form alone looks like a code. Other forms need a link to their name."""
        return self.form in (Form.PLAIN, Form.LETTER)


def numbers(body: str) -> list[Number]:
    """Return the numbers of a text that look like a code. Dates, amounts and phones do not."""
    return [
        Number(
            found.start(),
            found.start() + (found[0].index("-") + 1 if found["letter"] else 0),
            found.end(),
            _FORMS[str(found.lastgroup)],
        )
        for found in islice(_candidates(body), NUMBERS_MAX)
        if not _UNIT_AFTER.match(body, found.end())
        and not _MONEY_BEFORE.search(body, max(0, found.start() - 5), found.start())
        and not _MORE_THAN.search(body, max(0, found.start() - _MORE_CHARS), found.start())
        and not (found[0].startswith("b") and _END_MARK.match(body, max(0, found.start() - 2)))
        and not (
            found.lastgroup in ("mixed", "dashed", "odd")
            and (
                _MOMENT.fullmatch(found[0])
                or _GLUED.fullmatch(found[0])
                or _CARD.fullmatch(found[0])
            )
        )
        and not _address(body, found.start(), found.end())
        and not _year(body, found.start(), found.end())
    ]


def counts(body: str, place: int) -> bool:
    """Return whether the first number after a place is an amount, a year, or part of a phone's.

    >>> counts("pay 000000 rupiah", 3), counts("rs. 00000/-", 3), counts("code 000000 for rs 0", 4)
    (True, True, False)
    >>> counts("+00 00000 00000", 4)
    True
    """
    run = _DIGITS.search(body, place)
    return run is not None and (
        _UNIT_AFTER.match(body, run.end()) is not None
        or _GROUP_AFTER.match(body, run.end()) is not None
        or _MONEY_BEFORE.search(body, max(0, run.start() - 5), run.start()) is not None
        or _MORE_THAN.search(body, max(0, run.start() - _MORE_CHARS), run.start()) is not None
        or _year(body, run.start(), run.end())
    )


def _year(body: str, start: int, end: int) -> bool:
    """Return whether a number is the year of a date with the month as a word: "24 August 2031"."""
    return end - start == 4 and _YEAR.search(body, max(0, start - _YEAR_CHARS), start) is not None


def _address(body: str, start: int, end: int) -> bool:
    """Return whether a number is a destination ("text STOP to 85069") or what to send there."""
    if _TO_SEND.match(body, end):
        return True
    if _TO_SHORT.match(body, end) and _SENT_WITH.search(body, max(0, start - _SENT_CHARS), start):
        return True  # the number is the text to send
    return _SENT_TO.search(body, max(0, start - _SENT_CHARS), start) is not None


def _candidates(body: str) -> Iterator[re.Match[str]]:
    """Yield matches with the shape of a number, in order. Only places near digits are searched."""
    if _SPELLED.search(body):
        yield from _NUMBER.finditer(body)
        return
    end = 0
    while (digit := body.find("0", end)) >= 0:
        found = _NUMBER.search(body, max(end, digit - _LETTERS_BEFORE))
        if found is None:
            return
        yield found
        end = found.end()


def of_digits(body: str, number: Number) -> bool:
    """Return whether a number has no letters and looks like a code: 482913, 62 75 18."""
    paired = number.form is Form.DASHED and not _LETTER.search(body, number.start, number.end)
    return number.sure or paired


def leading(body: str, number: Number) -> bool:
    """Return whether the text begins with a number that needs no link to its name."""
    return number.sure and not _LETTER.search(body, 0, number.start)


def sentence_span(body: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of the sentence or line that contains a number or link, by its span."""
    first = max((stop.end() for stop in STOP.finditer(body, 0, start)), default=0)
    stop = STOP.search(body, end)
    return first, stop.start() if stop else len(body)


def has_link(folded: str) -> bool:
    """Return whether a text contains a web address."""
    return _DOTTED.search(folded) is not None and _LINK.search(folded) is not None


def has_invitation(folded: str) -> bool:
    """Return whether a text asks to open a web address, and does not only name a shop by its host.

    Such an address has a path, or ends the text: "paid at FNAC.COM, code 0000" has none.
    """
    return has_link(folded) and any(
        "/" in folded[start:end] or not folded[end:].strip(" .)!") for start, end in links(folded)
    )


def links(folded: str) -> list[tuple[int, int]]:
    """Return the spans of all web addresses in a text."""
    return [found.span() for found in _LINK.finditer(folded)]


def without_links(folded: str) -> str:
    """Return the text with spaces in place of web addresses. All places stay the same."""
    if not _DOTTED.search(folded):
        return folded
    return _LINK.sub(lambda found: " " * len(found[0]), folded)


def app_hash(folded: str) -> int | None:
    """Return the place of the app hash in a text for an Android app, or None.

    Such a text begins with `<#>` and ends with a hash of 11 characters.
    """
    if not folded.lstrip().startswith("<#>"):
        return None
    found = _APP_HASH.search(folded)
    return found.start(1) if found else None
