"""What a number in a text may be called, language by language: the table behind `recognise`.

Words are regular expressions over folded text (`fold`): lower case, no accents, digits masked as 0.
In a fragment a space stands for any run of spaces or none. Kinds of words:

- `names`   what only a verification code is called; its number is the code.
- `weak`    what many numbers are called (code, password, PIN): counts where the number hangs on
            the word itself, and the scene is not another one.
- `others`  what a number is called that is no verification code. Longer names that contain a word
            of the first two kinds belong here; at one place the longest reading wins.
- `scene`   words of courier, shop, prize and casino texts: here a weak name means something else.
- `denied`  a text that says no code is needed, or never to tell one: `names` inside it name nothing.

Each language gives a code text and a look-alike; a test reads both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detectors.lexicon import branches


@dataclass(frozen=True, slots=True)
class Language:
    """One row: the words of a language, and one text each way."""

    lang: str
    names: tuple[str, ...]
    weak: tuple[str, ...]
    others: tuple[str, ...]
    scene: tuple[str, ...]
    denied: tuple[str, ...]
    example: str
    counter: str
    words_apart: bool = True  # written with spaces, so a word must end where the fragment does


def _split(words: str) -> tuple[str, ...]:
    return tuple(branches(words))


LANGUAGES: Final = (
    Language(
        "zh",
        names=_split(
            "验证码|校验码|动态码|动态密码|动态口令|动态验证码|确认码|随机码|登录码|登入码|认证码|激活码|安全码|短信密码|短信口令"
            "|一次性密码|一次性口令|一次有效密码|临时密码|交易码|授权码|检验码|驗證碼|校驗碼|動態碼|動態密碼|動態口令|確認碼"
            "|隨機碼|登入碼|登錄碼|認證碼|啟動碼|啟用碼|激活碼|安全碼|保安編碼|簡訊密碼|短訊密碼|一次性密碼|一次性口令"
            "|一次密碼|臨時密碼|交易碼|授權碼|识别码|驗證代碼|验证代码|登录代码|安全代码|登入代碼|安全代碼|验证密码|驗證密碼|验证号码|動態驗證碼"
        ),
        weak=_split("密码|密碼|口令|代码|代碼|验证|驗證|校验|验证信息|编码|編碼|pin码"),
        others=_split(
            "(?:取件|取货|取餐|提货|提取|自提|收货|核销|兑换|优惠|折扣|推广|邀请|推荐|券|卡|防伪|团购|消费|取票|验票|入场|寄件|开柜|开箱|开门"
            "|取書|取貨|取餐|提貨|兌換|優惠|折扣|推廣|邀請|推薦|核銷|訂位|訂房|開箱|開櫃|門禁|门禁|停车|追溯|条形|条|条码|贡献|会员|會員|礼品|禮品"
            "|邮政|郵政|邮|郵遞|身份|健康|行程|识别身份|序列|激活卡|股票|产品|商品|机器|设备|批准|参考|參考|航班|预订|預訂|确认预订|预约)(?:号)?(?:码|碼|代码|代碼|编码|編碼|密码|密碼|号|號|口令)"
            "|推荐码|尾号|尾號|末四位|后四位|後四位|卡号|卡號|账号|帳號|賬號|账户|帳戶|户号|戶號|电号|電號|单号|單號|运单|訂單|订单(?:号|编号)?|流水号|序号|序號|编号|編號"
            "|快件|包裹|挂号信|掛號|快递单|客票号|票号|航班|车次|班次|座位|电话|電話|热线|熱線|客服|致电|请电|請電|拨打|撥打|咨询|諮詢|查询|查詢|联系|聯繫|号码|號碼|手机号|手機號"
            "|区号|區號|邮编|郵編|邮政编码|邮政编码填写有误|房号|房號|会议号|會議號|门牌|門牌|余额|餘額|金额|金額|人民币|合计|付款|支出|收入|转账|到账|积分|積分|额度|額度|回复|回覆|退订|拒收"
            "|wifi ?密码|wifi|门禁|門禁|工号|学号|准考证号|案号|统一编号|身份证|發票|发票|统编|統編|缴费|繳費|电费|電費|期限|日期|有效期至|截至|截止|尊享价|现价|原价|仅需|只需"
        ),
        scene=_split(
            "快递|快件|包裹|快遞|驿站|格口|取件|取货|快递柜|智能柜|智能櫃|储物柜|提货|取餐|取票|寄件|派送|签收|退订|拒收|优惠|優惠|折扣|券|彩金|下注|上下分|送礼"
            "|领取|棋牌|娱乐城|开户送|首充|贷款|额度|wifi|无线|门禁|門禁|开锁|会议|会议室|兑换|兌換|抽奖|中奖|满减|大促|秒杀|促销|招聘"
        ),
        denied=_split(
            "(?:无需|無需|免|不用|不需|不需要|无须|免除|没有)(?:手机|手機|短信|簡訊|输入|輸入|填|任何)*(?:验证码|驗證碼|密码|密碼|校验码)"
            "|(?:索取|骗取|騙取|索要|获取|獲取|透露|泄露|提供|告知|告诉|收到|接收|使用|填写)(?:您?的?|任何|他人)?(?:短信|手机|簡訊)?(?:验证码|驗證碼|校验码|动态码|动态密码|一次性密碼|一次性密码)(?:、|等|以?及|和|或|，|。|；|、切勿|$)"
            "|验证码登录(?=全新|升级|功能|方式)|验证码方式"
        ),
        example="【淘宝】验证码为482913，您正在登录，5分钟内有效。",
        counter="【菜鸟驿站】请凭取件码3-2-8041取件，无需验证码。",
        words_apart=False,
    ),
    Language(
        "ja",
        names=_split(
            "認証コード|認証番号|認証キー|認証用?コード|確認コード|確認番号|確認用コード|セキュリティ ?コード|ワンタイム ?(?:パスワード|コード|パス)|ログイン ?コード|ログイン番号"
            "|本人確認コード|検証コード|認証パスワード|smsコード|パスコード|二段階認証"
            "|承認番号|承認コード|アクセスコード|アクティベーションコード|有効化コード|仮パスワード|一時パスワード|使い捨てパスワード"
        ),
        weak=_split("コード|暗証番号|パスワード"),
        others=_split(
            "(?:プロモーション|クーポン|割引|招待|紹介|予約|追跡|商品|バー|qr|キャンペーン|優待|シリアル|ギフト|受付|郵便|国|市外)(?:コード|番号)|受取 ?(?:パスワード|コード|番号)"
            "|注文番号|ご?注文 ?(?:番号)?|お?問い?合わ?せ ?(?:番号|no[.])|伝票番号|送り状番号|追跡番号|お客様番号|会員番号|受付番号|整理番号|診察券番号|払込票番号|予約番号|便名|部屋番号|オートロック|電話|電話番号|tel"
            "|郵便番号|口座番号|カード|下0桁|残高|金額|料金|暗証番号|期限"
        ),
        scene=_split("宅配|荷物|ロッカー|配達|お届け|受取|クーポン|割引|off|カジノ|ボーナス|副業|キャンペーン|セール|オートロック|部屋"),
        denied=_split("認証コード(?:不要|なし)|認証番号の送信|(?:認証コード|認証番号|パスワード|ワンタイムパスワード|暗証番号)を?(?:聞|お聞き|教え|尋ね|伺)"),
        example="【メルカリ】認証番号は552910です。この番号を画面に入力してください。",
        counter="ヤマト運輸：宅配便ロッカーに届きました。受取パスワード 739201",
        words_apart=False,
    ),
    Language(
        "ko",
        names=_split(
            "인증 ?번호|인증 ?코드|확인 ?코드|확인 ?번호|보안 ?코드|보안 ?번호|로그인 ?코드|일회용 ?(?:비밀 ?번호|코드|암호)|본인 ?확인 ?(?:번호|코드)|일회성 ?(?:비밀 ?번호|코드)"
            "|인증 ?키|인증 ?비밀 ?번호|임시 ?비밀 ?번호|접속 ?코드|등록 ?코드|활성화 ?코드"
        ),
        weak=_split("코드|비밀 ?번호|승인 ?번호|암호"),
        others=_split(
            "(?:할인|쿠폰|추천|초대|예약|주문|상품|프로모션|운송장|접수|고객|대기|교환|선물|국가|지역|우편|사물함|현관|공동현관|픽업|수령)(?:인)? ?(?:코드|번호|비밀 ?번호)"
            "|운송장|주문 ?번호|송장|전화|문의|고객센터|계좌|카드|잔액|금액|무료수신거부|무료거부|기사|우편번호|납기"
        ),
        scene=_split("택배|무인함|배송|픽업|수령|보관함|사물함|쿠폰|할인|광고|바카라|토토|카지노|현관|와이파이|당첨|이벤트"),
        denied=_split("인증 ?없음|인증 ?번호 ?발송|인증 ?번호(?:를|는|나)? ?(?:요구|묻|알려|요청)|본인인증 없음"),
        example="[네이버] 인증번호 [482913]를 입력해 주세요.",
        counter="[쿠팡] 주문번호 48201937 상품이 도착 예정입니다. 보관함 비밀번호 4820",
        words_apart=False,
    ),
    Language(
        "en",
        names=_split(
            "(?:verification|verify|security|confirmation|authentication|authorization|authorisation|auth|log[- ]?in|sign[- ]?(?:in|on|up)|registration|activation|access|one[- ]?time|single[- ]use|temporary|recovery|(?:password )?reset|0fa|0-step|two[- ]step|two[- ]factor|0 step|0-factor|mfa|validation|unlock|device|payment|transaction|withdrawal)"
            "(?: (?:verification|security|confirmation|authentication|authorization|access|log ?in|app))*[ -]?(?:pass ?code|code|pin|password|token|pwd)s?|(?:verification|authentication|security|one[- ]time) (?:number|no[.]?|key)|otp|otps|otac|one[- ]?time pass|passcode|pass code|verification is|authenticator code|(?:key|account|email|order) confirmation(?=\\sis)|totp|mpin code|(?:i-?)?safe ?key|magic code|2fa|mtan"
        ),
        weak=_split("code|codes|password|pin|token|secret|(?:enter|use|type|input|submit) (?:the )?(?:number |code |pin )?(?=0)"),
        others=_split(
            "(?:promo|promotional|promotion|coupon|discount|voucher|gift|gift card|referral|refer|invite|invitation|pick-?up|pick up|collection|locker|tracking|booking|reservation|confirmation booking|zip|postal|post|area|country|sort|swift|bank|ifsc|product|item|qr|bar|dress|error"
            "|status|source|offer|reward|bonus|claim|gate|door|entry|building|garage|redemption|redeem|checkout|shipping|order|wifi|wi-fi|delivery|parcel|tax|branch|store|dial|dialing|dialling|room|agent|case|ticket|reference|ref|access gate|event|meeting|zoom) ?-?(?:code|codes|pin|number|no[.]?|num|id|password|confirmation)"
            "|order|tracking|shipment|package|parcel|consignment|awb|flight|pnr|reservation|booking|ref|reference|account|acct|a/c|account (?:no|number)|card|card ending|ending|ending in|ends in|ending with|last 0|call|tel|phone|fax|dial|phone number|text|txt|reply|ticket|invoice|bill|sku|claim no|serial|imei"
            "|customers?|zoom id|meeting id|id|room|apt|suite|zip|balance|bal|amount|amt|total|payment of|purchase of|inr|rs[.]?|usd|eur|gbp|number is|new number|number|ssid|wifi|stop to|call us|helpline|hotline|contact|case|policy|member(?:ship)? (?:no|number|id)|table|gate|bus|train|platform|extension|ext[.]?|sort code|account ending|route|dep|exp(?:iry)?|on card"
        ),
        scene=_split(
            "courier|parcel|package|delivery|deliver|locker|pick ?up|collect|collection|% off|off|promo|discount|coupon|checkout|in-store|store|sale|free spins|bonus|casino|bet|slots|jackpot|win|prize|gift card|reward|stop to|txt stop|text stop|reply stop|opt out|unsubscribe|wifi|wi-fi|gate|door|garage|entry|lockbox|alarm|referral|shop now|buy|deals?|order|ticket|flight|checked? in|airbnb host|deposit"
        ),
        denied=_split(
            "(?:no|without|not?|never|skip the|did you get the|get the|got the|ask for (?:your|this|the|an?)|asks? for (?:your|this|the|an?)|share (?:your|this|the|an?)|shar(?:e|ing) (?:your|this|the|an?|any)|disclose (?:your|this|the|an?)|give out (?:your|this)|reveal (?:your|this)|forward (?:your|this)|tell (?:anyone )?(?:your|this)|requests? for (?:your|an?)) ?"
            "(?:sms |login |bank |m)?(?:otp|otps|verification codes?|security codes?|code|codes|passcode|password|one[- ]time (?:code|password|passcode|pin)s?|pin|login code|verification)"
            "|login code not required|otp,? (?:pin|cvv|password)|(?:pin|cvv|mpin|password),? (?:or )?otp|0fa key|pin-free|two-step verification"
        ),
        example="Your Airbnb verification code is: 2093. Don't share this code with anyone.",
        counter="Old Navy: take 40% off w/ code 739201 in-store. Txt STOP to end",
    ),
    Language(
        "ru",
        names=_split(
            "(?:проверочн|одноразов|временн|секретн|смс|sms)[а-я]* ?-?(?:код|пароль|кода|пароля|коды|пин)|код (?:подтверждения|доступа|проверки|авторизации|активации|безопасности|регистрации|верификации|входа|аутентификации|восстановления|для|к|в|из)|код-пароль|смс-код|sms-код|пароль для|пароль (?:подтверждения|на вход)|код подтвержд[а-я.]*"
        ),
        weak=_split("код|кода|пароль|пин|пин-код|введите|кодом"),
        others=_split(
            "промокод[а-я]*|код (?:товара|домофона|выдачи|получения|скидки|города|региона|брони|бронирования|заказа|страны|купона|от подъезда|ячейки|для получения|для выдачи|посылки|отправления|операции|курьеру)|штрих-?код|пин ?код курьеру|заказа?|заказ(?:ом)? ?№|№|номер|трек[а-я-]*|карт[аыеойу]+|счет[а-я]*|баланс|сумма|тел[.]?|телефон[а-я]*|звоните|рейс|рейса|бронь|брони|домофон|посылк[аиу]|отправлени[ея]|квартир[аы]|талон|договор[а-я]*|л/с|индекс|почтовый индекс|доступно|списание|покупка|перевод|зачисление"
        ),
        scene=_split("курьер[а-я]*|посылк[а-я]*|постамат[а-я]*|ячейк[а-я]*|заказ[а-я]*|скидк[а-я]*|промокод[а-я]*|доставк[а-я]*|пункт[а-я]* выдачи|казино|ставк[а-я]*|фриспин[а-я]*|бонус[а-я]*|домофон[а-я]*|подъезд[а-я]*|вай-?фай|wifi|выигр[а-я]*|кредит[а-я]*|займ[а-я]*"),
        denied=_split("без (?:кодов|кода|смс|пароля|паролей)|(?:сообщайте|сообщать|называйте|говорите|передавайте|просят|просит|спрашива[а-я]*|запрашива[а-я]*) (?:никому )?(?:код[а-я]*|парол[а-я]*|смс-код[а-я]*|sms-код[а-я]*)(?: из (?:смс|sms))?"),
        example="Ваш код подтверждения: 482913. Никому не сообщайте его.",
        counter="Заказ 48201937 готов к выдаче. Код получения 4820, пункт выдачи на Ленина 5",
    ),
    Language(
        "es",
        names=_split(
            "codigo (?:de |del |para |unico |sms )?(?:verificacion|seguridad|acceso|confirmacion|validacion|activacion|autenticacion|autorizacion|identificacion|registro|inicio|ingreso|ingresar|iniciar|acceder|firma|un solo uso|uso unico|temporal|verificar|confirmar|recuperacion|doble factor|operacion|sesion|otp|whatsapp|sms|cuenta)|codigo unico|codigo temporal|codigo sms|clave (?:de )?(?:un solo uso|acceso|sms|dinamica|temporal|unica|seguridad|operaciones|firma|confirmacion|verificacion|otp)|contrasena (?:de )?(?:un solo uso|temporal|unica|un uso)|coordenada sms|token de seguridad|pin de (?:verificacion|seguridad|acceso|confirmacion)"
        ),
        weak=_split("codigo|cod[.]|clave|pin|token|contrasena|(?:ingresa|ingrese|introduce|introduzca|usa|utiliza|digita|digite|escribe) (?=0)"),
        others=_split(
            "codigo (?:de )?(?:descuento|promocional|promocion|postal|barras|recogida|retiro|apertura|reserva|seguimiento|pedido|area|pais|cupon|invitacion|amigo|entrega|producto|cliente|envio|referido|rastreo|localizador)|clave (?:del )?wifi|pedido|envio|localizador|tarjeta|terminad[ao] en|cuenta|referencia|ref[.]|factura|llama|llame|llamar|telefono|tel[.]?|saldo|importe|vuelo|reserva|cupon|numero|guia|cita|puerta"
        ),
        scene=_split("paquete|envio|locker|repartidor|recogida|pedido|descuento|cupon|medianas|promocion|casino|apuestas?|giros|bono|tiradas|premio|oferta|wifi|portal|prestamo|taquilla|citypaq|entrega"),
        denied=_split("(?:sin|ni|nunca (?:pediremos|te pediremos)|no (?:compartas|facilites|des)|pedira? (?:tu|su)|solicita(?:mos|ra)? (?:tu|su)|compartas? (?:tu|este|el)) ?(?:codigo|codigos|clave|claves|contrasena)(?: de (?:verificacion|seguridad|acceso))?|numero de codigos"),
        example="Tu código de verificación es 482913. No lo compartas.",
        counter="InPost: tu paquete te espera. Código de recogida: 482019",
    ),
    Language(
        "pt",
        names=_split(
            "codigo (?:de |do |para |unico |sms )?(?:verificacao|seguranca|acesso|confirmacao|validacao|ativacao|autenticacao|autorizacao|identificacao|cadastro|login|entrar|acessar|redefinir|uso unico|utilizacao unica|temporario|verificar|confirmar|recuperacao|registo|token|sms|ingresso)|codigo temporario|senha (?:temporaria|de acesso|de uso unico|descartavel|provisoria|sms|unica)|palavra-passe (?:temporaria|unica)|chave de seguranca|token de (?:acesso|seguranca)|pin de (?:verificacao|acesso|confirmacao)"
        ),
        weak=_split("codigo|senha|chave|(?:use|informe|digite|insira|utilize) (?:o codigo )?(?=0)"),
        others=_split(
            "codigo (?:de )?(?:desconto|promocional|postal|barras|recolha|retirada|rastreio|rastreamento|coleta|entrega|convite|reserva|indicacao|cliente|produto|cupom|area)|cod[.] barras|cupom|pedido|encomenda|fatura|cartao|final|conta|referencia|ligue|telefone|tel[.]?|saldo|valor|voo|protocolo|objeto|senha de atendimento|r\\$|cep|zap|whatsapp 0|chame"
        ),
        scene=_split("encomenda|entregador|locker|retirada|recolha|pedido|cupom|desconto|off|cassino|aposta|giros|bonus|premio|oferta|emprestimo|wifi|portao|entrega"),
        denied=_split("(?:sem|nunca (?:pedimos|pede|informe|compartilhe)|nao (?:compartilhe|informe|passe)) ?(?:o |seu |sua |este |esse )?(?:codigo|codigos|senha|senhas|token)(?: de (?:verificacao|seguranca|acesso))?|pede este codigo|pede (?:o|seu) codigo"),
        example="Nubank: 482913 é seu código de confirmação. Não compartilhe.",
        counter="Sua encomenda está no Locker. Código de recolha 739201, até 23/08.",
    ),
    Language(
        "fr",
        names=_split(
            "code (?:de |d'|d’|a |pour |sms |secret |unique )?(?:verification|securite|acces|confirmation|validation|activation|authentification|autorisation|identification|connexion|usage unique|temporaire|valider|confirmer|inscription|reinitialisation|verifier|vous connecter|unique|otp|sms)|code temporaire|code unique|code sms|mot de passe (?:a usage unique|temporaire|unique|provisoire)|cle de securite|code personnel"
        ),
        weak=_split("code|mot de passe|(?:saisissez|entrez|utilisez|tapez|composez|saisir) (?:le )?(?:code )?(?=0)"),
        others=_split(
            "code (?:de )?(?:promo|promotionnel|reduction|retrait|postal|parrainage|colis|cadeau|avantage|porte|suivi|barres|immeuble|reservation|client|wifi|produit|remise|livraison|d'ouverture)|code-barres|digicode|commande|colis|carte|finissant par|compte|ref|reference|ref dossier|facture|appelez|tel[.]?|telephone|solde|montant|vol|porte|dossier|numero|n°|livraison"
        ),
        scene=_split("colis|livreur|consigne|point relais|retrait|commande|promo|reduction|remise|casino|paris|tours gratuits|bonus|cadeau|offre|soldes|digicode|wifi|immeuble|livraison|stop au|stop sms"),
        denied=_split("(?:sans|aucun|ni|jamais|communiquez (?:votre|ce|vos)|donnez (?:votre|ce|vos)|demande(?:r|ra|rons)? (?:votre|ce|vos)|partagez (?:votre|ce|pas)) ?(?:code|codes|mots? de passe)(?: (?:de (?:verification|securite|validation|confirmation)|sms))?"),
        example="Votre code de vérification est 482913. Il expire dans 10 minutes.",
        counter="Votre colis est au Point Relais. Code de retrait 482019",
    ),
    Language(
        "de",
        names=_split(
            "(?:bestatigungs|sicherheits|verifizierungs|verifikations|zugangs|freischalt|aktivierungs|anmelde|login|authentifizierungs|einmal|kontosicherheits|registrierungs|pruf|zugriffs|legitimations|freigabe|kontobestatigungs|google-bestatigungs)[-]?(?:code|codes|kennwort|passwort|pin|schlussel|zahl|nummer)|(?:[a-z]+-)?(?:sicherheitscode|kontosicherheitscode|einmalkennwort|einmalpasswort|bestatigungscode|verifizierungscode)|(?:mobile|sms|m|push)-?tan|tan|code zur (?:bestatigung|anmeldung|verifizierung|freigabe)|code fur (?:die|deine|ihre) (?:anmeldung|registrierung|bestatigung)|transaktionsnummer|einmaliger code|einmaliges passwort"
        ),
        weak=_split("code|[a-z]+-code|kennwort|passwort|pin|(?:gib|geben sie) (?=0)"),
        others=_split(
            "(?:gutschein|rabatt|aktions|abhol|buchungs|promo|vorteils|einladungs|tracking|qr-|strich|produkt|tur|pack|empfehlungs)-?(?:code|pin|nummer)|postleitzahl|plz|buchungskonto|bestellung|bestellnummer|sendung|sendungsnummer|karte|endziffern|konto|rechnung|rechnungsnummer|kundennummer|kundennr[.]?|tel[.]?|telefon|rufen|anrufen|saldo|betrag|uhr|flug|gate|termin|tor|paket|nummer|nr[.]?|referenz|ref[.]?|neuer stand"
        ),
        scene=_split("paket|paketshop|abholung|packstation|zusteller|rabatt|gutschein|casino|freispiele|bonus|gewinn|angebot|bestellung|wlan|tor|klingel|lieferung"),
        denied=_split("(?:ohne|kein|keine|keinen|nie|niemals|nach (?:ihrer|ihrem|deiner|deinem)|fragen nie nach) ?(?:ihre[rnm]? |deine[rnm]? )?(?:telefonisch )?(?:tan|code|codes|passwort|pin|sicherheitscode|bestatigungscode)"),
        example="PayPal: Ihr Sicherheitscode lautet 730418.",
        counter="Abholung im PaketShop: zeigen Sie den Code 73920184 und Ihren Ausweis.",
    ),
    Language(
        "it",
        names=_split(
            "codice (?:di |d'|per |sms |segreto |unico )?(?:verifica|sicurezza|accesso|conferma|convalida|attivazione|autenticazione|autorizzazione|identificazione|registrazione|login|accedere|temporaneo|monouso|otp|o-key|recupero|confermare|validazione|usa e getta)(?: sms)?|codice o-key sms|codice temporaneo|codice monouso|codice otp|password (?:monouso|temporanea|usa e getta)|pin (?:temporaneo|di accesso|di verifica|dispositivo)"
        ),
        weak=_split("codice|password|(?:inserisci|usa|digita|utilizza) (?:il codice )?(?=0)"),
        others=_split(
            "codice (?:di |del |a |de )?(?:ritiro|sconto|promozionale|promo|postale|avviamento|fiscale|barre|prenotazione|invito|cliente|ordine|spedizione|tracking|amico|prodotto|sblocco locker|iban|wifi)|coupon|ordine|spedizione|pacco|carta|conto|riferimento|rif[.]?|fattura|bolletta|chiama|chiamare|tel[.]?|telefono|saldo|importo|volo|numero|numero cliente|pnr|uscita|amb[.]"
        ),
        scene=_split("pacco|locker|corriere|ritiro|spedizione|sconto|coupon|casino|scommesse|giri|bonus|premio|offerta|wifi|prestito|cancello|consegna"),
        denied=_split("(?:senza|mai|chiede|chiedera|chiediamo|comunicare|nessun) ?(?:il |i |tuo |suo |tuoi )?(?:codice|codici|password)(?: (?:otp|di (?:verifica|sicurezza)))?"),
        example="Il codice di verifica per Subito è 6284",
        counter="Il tuo pacco è nel Locker! Codice di ritiro 739201, entro il 23/08",
    ),
    Language(
        "vi",
        names=_split(
            "ma (?:xac (?:nhan|thuc|minh)|otp|kich hoat|bao mat|dang nhap|an toan|kiem tra|xac|so bi mat|mot lan|dung mot lan|bi mat)(?: (?:otp|tai khoan))?|mat khau (?:mot lan|dung mot lan|tam thoi|otp|su dung mot lan|1 lan|0 lan)|mat ma (?:giao dich|otp|xac thuc)"
        ),
        weak=_split("ma (?:la|cua ban|cua quy khach|so|whatsapp|google|facebook|zalo|telegram|momo|grab|shopee)|mat khau|mat ma|(?:nhap|dung) (?:ma )?(?=0)|ma (?=0)|ma (?=[:=])"),
        others=_split(
            "ma (?:giam gia|khuyen mai|van don|don hang|dat cho|dat ve|gioi thieu|uu dai|buu chinh|so thue|vung|khach hang|tra cuu|san pham|voucher|qr|nhan hang|lay hang|don|dinh danh|the|hoa don)|don hang|van don|so the|the|tk|tai khoan (?=0)|so du|so tien|lien he|goi|hotline|chuyen bay|phong|so thu tu|thu ho|tong dai|sdt|so dien thoai|bien so|hoa don"
        ),
        scene=_split("shipper|buu kien|giao hang|tu do|locker|giam gia|khuyen mai|uu dai|nha cai|ca cuoc|casino|link|trung thuong|vay|wifi|voucher|nhan hang|cua"),
        denied=_split("khong (?:can|cung cap|chia se|tiet lo|gui|dua|yeu cau)(?: quy khach)?(?: cung cap)? (?:ma|mat khau)(?: (?:otp|xac (?:minh|nhan|thuc)))?|khong can xac minh"),
        example="118204 là mã xác thực Zalo của bạn. Không chia sẻ mã này.",
        counter="Đơn hàng 48201937 đã được đóng gói. Mã vận đơn 482019",
    ),
    Language(
        "th",
        names=_split(
            "รหัส ?(?:ยืนยัน|otp|ผ่าน ?(?:ใช้)?ครั้งเดียว|ผ่านชั่วคราว|ความปลอดภัย|รักษาความปลอดภัย|ตรวจสอบ|เปิดใช้งาน|เข้าสู่ระบบ|ใช้ครั้งเดียว|ลับ|การยืนยัน|ผ่านแบบใช้ครั้งเดียว|ปลอดภัย|ชั่วคราว|ลงทะเบียน|เข้าใช้งาน)|โค้ดยืนยัน|โอทีพี|รหัสผ่าน otp"
        ),
        weak=_split("รหัส|รหัสผ่าน|โค้ด|พิน"),
        others=_split(
            "รหัส ?(?:ไปรษณีย์|อ้างอิง|ส่วนลด|พัสดุ|รับพัสดุ|รับสินค้า|คูปอง|จอง|การจอง|สินค้า|สมาชิก|ลูกค้า|ติดตาม|รับของ|เปิดตู้|ตู้|wifi|ไวไฟ|ห้อง|เชิญ|แนะนำ|โปรโมชั่น|พื้นที่|ประเทศ|นัด)|โค้ด(?:ส่วนลด|โปร|โปรโมชั่น|ลด)|โทร|คำสั่งซื้อ|ออเดอร์|เลขพัสดุ|บัญชี|บัตร|ยอด|จำนวน|คงเหลือ|เที่ยวบิน|คิวที่|เลขที่|หมายเลข|ref|พัสดุ"
        ),
        scene=_split("พัสดุ|ตู้|ส่วนลด|โปร|ลด|สล็อต|บาคาร่า|คาสิโน|เครดิตฟรี|ไรเดอร์|คนส่ง|สินค้า|ไวไฟ|wifi|เงินกู้|รับของ|ประตู"),
        denied=_split("(?:ห้ามบอก|อย่าบอก|ไม่(?:ต้อง|มี|ขอ|สอบถาม)|อย่าให้|ห้ามให้|ห้ามเปิดเผย) ?(?:ใช้)?(?:รหัส|โค้ด)? ?(?:otp|ยืนยัน(?:ตัวตน)?|ผ่าน)?"),
        example="รหัสยืนยัน LINE ของคุณคือ 551820",
        counter="พัสดุของคุณอยู่ที่ตู้ รหัสรับพัสดุ 739201",
        words_apart=False,
    ),
    Language(
        "id",
        names=_split(
            "kode (?:verifikasi|otp|konfirmasi|keamanan|akses|aktivasi|rahasia|login|masuk|autentikasi|otentikasi|sekali pakai|registrasi|pendaftaran|validasi|unik|pengesahan|sms)|kata sandi (?:sekali pakai|sementara)|sandi sekali pakai|(?:[a-z]+ )?code anda|kode pin|kode pengaman|pin (?:verifikasi|sementara)|nomor verifikasi|kod (?:pengesahan|keselamatan|tac)|tac"
        ),
        weak=_split("kode|kata sandi|sandi|password|(?:masukkan|gunakan) (?:kode )?(?=0)"),
        others=_split(
            "kode (?:promo|voucher|diskon|ambil|booking|pos|referral|undangan|resi|pesanan|pengambilan|kupon|bank|area|negara|produk|loker|barang|tiket|bayar|pembayaran)|resi|pesanan|kartu|rekening|no[.]? ?rek|saldo|hub|hubungi|telp|token listrik|no antrian|nomor|penerbangan|tagihan|nominal|kurir|wa"
        ),
        scene=_split("paket|loker|kurir|diskon|promo|voucher|slot|gacor|judi|bonus|hadiah|undian|pinjaman|wifi|pesanan|ongkir|pintu"),
        denied=_split("(?:tanpa|tidak perlu|jangan (?:bagikan|berikan|beritahu|kasih)|meminta|minta) (?:kode|otp|kata sandi)(?: (?:otp|verifikasi|ini))?|tanpa verifikasi"),
        example="Kode verifikasi Gojek kamu 1182. Jangan dibagikan.",
        counter="Paket di loker. Kode ambil 739201, maks 23/08",
    ),
    Language(
        "tr",
        names=_split(
            "(?:dogrulama|onay|guvenlik|giris|aktivasyon|erisim|tek kullanimlik|tek seferlik|gecici|kayit|islem|sms|uyelik|mobil onay|teyit|etkinlestirme|parola)[ -]?(?:kodunuz|kodu|kodun|sifreniz|sifresi|sifre|sifren|parolaniz|parola|kod|pin)|tek kullanimlik (?:sifre|parola|kod)[a-z]*|sms (?:sifre|kod)[a-z]*|onay kodunuz"
        ),
        weak=_split("kod|kodu|kodun|kodunuz|kodunuzu|sifre|sifreniz|sifresi|parola|parolaniz|pin"),
        others=_split(
            "(?:indirim|promosyon|kupon|takip|kargo|posta|davet|referans|rezervasyon|teslimat|teslim|hediye|alan|urun|siparis|firsat|kampanya|kapi|wifi|barkod|qr|randevu|pnr)[ -]?(?:kodu|kodunuz|kod|sifresi|sifreniz|no|numarasi|numaraniz)|siparis|kargo|kart|hesap|bakiye|tutar|tel|arayin|ucus|pnr|gonderi|fatura|numara|numarali|iptal|b000|tl"
        ),
        scene=_split("kargo|kurye|paket|teslimat|indirim|kampanya|kupon|bahis|casino|bonus|freespin|hediye|firsat|siparis|wifi|kapi|kredi|iptal"),
        denied=_split("(?:sifresiz|kodsuz|kod gerekmez|onaysiz)|(?:sms|onay|dogrulama|guvenlik)? ?(?:kodunuzu|sifrenizi|kodu|sifresini|kodlarinizi|sifrelerinizi)(?: (?:kimseyle|kimseye|asla|hic kimseyle))? (?:paylasmayin|paylasma|soylemeyin|vermeyin|istemez|sormaz)"),
        example="Doğrulama kodunuz 482913. Kimseyle paylaşmayın.",
        counter="Siparişiniz kargoya verildi. Takip kodu 48201937",
    ),
    Language(
        "ar",
        names=_split(
            "(?:رمز|كود|كلمه|الرمز|الكود|رقم) ?(?:ال)?(?:تحقق|التحقق|تفعيل|التفعيل|تاكيد|التاكيد|امان|الامان|دخول|الدخول|توثيق|التوثيق|التعريف|مصادقه|المصادقه|مرور لمره واحده|المرور لمره واحده|المرور المؤقته|السر لمره واحده|السري|سري|المؤقت|مؤقت|لمره واحده|التسجيل)|رمز otp|كلمه (?:المرور|مرور|السر|سر) (?:لمره واحده|المؤقته|مؤقته|الموقته)|الرقم السري (?:المؤقت|لمره واحده)|(?:ال)?رمز (?:ال)?(?:مؤقت|موقت)"
        ),
        weak=_split("رمز|الرمز|رمزك|كود|الكود|كودك|كلمه المرور|كلمه السر|الرقم السري"),
        others=_split(
            "(?:رمز|كود|رقم) ?(?:ال)?(?:خصم|الخصم|الاستلام|استلام|الطلب|طلب|الشحنه|شحنه|التتبع|تتبع|البريدي|بريدي|الحجز|حجز|العرض|الترويجي|الدوله|المنطقه|القسيمه|الدعوه|الفاتوره|الهاتف|العميل|الحساب|البوابه|الباب|تسليم|التسليم|التوصيل|الموعد)|طلبك|الطلب|شحنتك|الشحنه|بطاقه|بطاقتك|المنتهيه|حساب|حسابك|رصيد|الرصيد|مبلغ|بمبلغ|اتصل|هاتف|رحله|الرحله|حجز|فاتوره|رقم"
        ),
        scene=_split("شحنه|شحنتك|طرد|طردك|مندوب|المندوب|السائق|خصم|كوبون|كازينو|رهان|مكافاه|بونص|جائزه|ربح|عرض|قرض|تمويل|واي فاي|باب|خزانه|استلام"),
        denied=_split("(?:بدون|دون|لا تشارك|لا تفصح عن|لا تعط|يطلب منك|نطلب منك|نطلب|مشاركه) (?:اي )?(?:رمز|كود|كلمه المرور|الرمز)(?: (?:ال)?تحقق)?"),
        example="رمز التحقق الخاص بك هو 482913. لا تشاركه مع أحد.",
        counter="شحنتك رقم 48201937 في الطريق. كود الخصم 4820",
    ),
    Language(
        "fa",
        names=_split(
            "(?:كد|رمز|كلمه) ?(?:تاييد|فعال ?سازي|ورود|امنيتي|احراز ?هويت|يكبار ?مصرف|يك ?بار ?مصرف|پويا|موقت|دوم پويا|عبور (?:يكبار|يك بار|موقت)|تاييديه|عضويت|اعتبارسنجي|ثبت ?نام|صحت سنجي)|رمز پويا|رمز دوم|گذرواژه (?:موقت|يكبار مصرف)|كد otp|كد شما"
        ),
        weak=_split("كد|رمز|رمز عبور|گذرواژه"),
        others=_split(
            "(?:كد|رمز|شماره) ?(?:تخفيف|رهگيري|پستي|مرسوله|سفارش|پيگيري|تحويل|معرف|دعوت|ملي|رزرو|محصول|كارت|حساب|تماس|تلفن|قبض|قرعه|ساختمان|در)|سفارش|مرسوله|كارت|حساب|مانده|مبلغ|ريال|تومان|تماس|تلفن|پرواز|شماره|لغو|لغو00"
        ),
        scene=_split("مرسوله|بسته|پيك|تحويل|تخفيف|شرط ?بندي|كازينو|بونوس|جايزه|برنده|قرعه|وام|هديه|لغو|واي ?فاي"),
        denied=_split("(?:بدون|نياز به|به كسي|هيچ كس) (?:كد|رمز)(?: تاييد)?(?: ندارد)?"),
        example="کد تایید شما: ۴۸۲۹۱۳",
        counter="کد تخفیف ۵۰ درصدی: 4820 فقط امروز",
    ),
    Language(
        "he",
        names=_split(
            "(?:ה)?קוד (?:ה)?(?:אימות|אבטחה|כניסה|זיהוי|אישור|הפעלה|גישה|חד[- ]?פעמי|התחברות|הזדהות|זמני|סודי|חד פעמי|וידוא|לאימות|לכניסה|הרשמה)|סיסמ[הת]א? (?:חד[- ]?פעמית|זמנית)|קודך|סיסמה חד"
        ),
        weak=_split("קוד|הקוד|סיסמה|הסיסמה|סיסמא|(?:הזן|הזינו|הקש) (?=0)"),
        others=_split(
            "קוד (?:ה)?(?:קופון|הנחה|ההנחה|איסוף|משלוח|הזמנה|ההזמנה|מבצע|שובר|מיקוד|מעקב|מוצר|לדלת|כניסה לבניין|בניין|לשער|לוקר|לתא|חבר|איזור|אזור|מדינה)|קופון|הזמנה|משלוח|חבילה|כרטיס|חשבון|יתרה|סכום|טלפון|טל|חייגו|טיסה|מיקוד|מספר|מס|אסמכתא|תור|ש\"ח"
        ),
        scene=_split("חבילה|שליח|לוקר|איסוף|משלוח|הנחה|קופון|קזינו|הימורים|בונוס|פרס|זכית|מבצע|הלוואה|ויי?פיי|דלת|שער|הסר"),
        denied=_split("(?:ללא|בלי|אין למסור|אל תמסרו|לא נבקש|לא נשאל|תמסרו|לשתף|למסור) (?:את )?(?:ה)?קוד(?: (?:ה)?אימות)?"),
        example="קוד האימות שלך הוא 482913. אין לשתף אותו.",
        counter="החבילה שלך בלוקר. קוד איסוף 739201",
    ),
    Language(
        "hi",
        names=_split(
            "(?:सत्यापन|पुष्टि|सुरक्षा|लॉगिन|वेरिफिकेशन|प्रमाणीकरण|एक्टिवेशन|सक्रियण|पुष्टिकरण|पंजीकरण|लॉग इन|एक्सेस|पहचान) (?:कोड|पिन|पासवर्ड)|ओटीपी|वन ?टाइम ?(?:पासवर्ड|कोड|पिन)|एक बार का पासवर्ड|एक बार (?:उपयोग|इस्तेमाल) (?:का|होने वाला) (?:कोड|पासवर्ड)|एकबारगी पासवर्ड"
        ),
        weak=_split("कोड|पासवर्ड|पिन"),
        others=_split(
            "(?:कूपन|डिस्काउंट|प्रोमो|छूट|ऑफर|पिकअप|डिलीवरी|ट्रैकिंग|रेफरल|बुकिंग|एरिया|क्षेत्र) ?(?:कोड|पिन|नंबर)|पिन ?कोड|ऑर्डर|कार्ड|खाता|खाते|शेष|राशि|रु|कॉल|फोन|नंबर|पीएनआर|उड़ान|शिपमेंट|पार्सल"
        ),
        scene=_split("पार्सल|डिलीवरी|कूरियर|छूट|ऑफर|कूपन|कैसीनो|बोनस|इनाम|जीत|लोन|पैकेट|एजेंट|वाईफाई"),
        denied=_split("(?:बिना|कभी) (?:किसी )?(?:ओटीपी|कोड|पासवर्ड)|(?:ओटीपी|otp|पिन|कोड)(?:,| या|/)? ?(?:पिन|सीवीवी|cvv|ओटीपी)?(?: किसी (?:को|के साथ))? (?:न बताएं|साझा न करें|शेयर न करें|नहीं मांगता)"),
        example="आपका ओटीपी 482913 है। इसे किसी के साथ साझा न करें।",
        counter="आपका पार्सल आ रहा है। डिलीवरी एजेंट को पिन 4820 बताएं",
        words_apart=False,
    ),
)
"""Word order inside a kind does not matter; all rows of one script are read together."""
