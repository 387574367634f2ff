"""Builders that test_recognise_table.py shares with other tests."""

from __future__ import annotations

CODES = """
【知乎】你的注册验证码是 330912，10 分钟内有效。
【微信】微信验证码884512，本验证码仅供注册微信使用，严禁转发
欢迎使用叮当快药，您的短信校验码为：6672，如非本人操作请忽略【叮当快药】
【百度】您正在更换密保手机，验证码：882716（5分钟内有效）。切勿转发或告知他人
[闲鱼]验证码：7712，请勿告诉他人
【交行】您的手机银行动态密码是：394857，交易金额2,000.00元，收款人尾号8834，请勿泄露。
【招商银行】您尾号8834的一卡通正在网上支付，金额99.00元，验证码339812，任何索要验证码的都是骗子
【民生银行】尊敬的客户，序号为5的短信验证码为：441298，您正在进行转账
【国家税务总局】个人所得税APP登录验证码 882910，30分钟内有效
尊敬的用户，您本次操作的动态验证码为 910233
【12306】验证码:448190,您正在登录
【58同城】验证码 338812，转发可能导致账号被盗
【360】您的校验码为883721，来自360账号
【携程】302918（携程验证码，5分钟内有效）
【顺丰】验证码：8822，您正在绑定月结卡号
验证码：一二三四五六，请勿泄露
【某APP】验 证 码：882 731
【微博】登录验证码是８８３９２１
【航旅】您的短信验证码为 ABX19K
【唯品会】验证码392811，您正在使用优惠券支付，请勿泄露。回T退订
您的驗證碼為 559102，請於5分鐘內輸入。
【露天拍賣】簡訊認證碼：88213
[PChome] 您的一次性密碼為 339281
【LINE Pay】驗證碼 3382，請勿提供給他人
482913 is your verification code for Acme.
Your verification code is 482 913
Use code 482913 to log in to your account. It expires in 5 minutes.
Acme: Your OTP is 4829. Do not share it.
Your one-time PIN is 48291.
Please use 48291377 as your login code for Acme
Acme security code: 482913. Don't share it with anyone
482913 is the One Time Password (OTP) to reset your account password
Dear customer, 482913 is your OTP for transaction of Rs.500.00 at Flipkart. -AXIS Bank
Here is your Acme sign in code: 482913
Enter 482913 to confirm your phone number
Do not share your OTP 482913 with anyone
Your temporary passcode: AB12CD
Acme: 482913 is your 2FA code
Your Acme registration code is 4829.
Acme verification: 482913
Your tac is 482913 for transfer RM500.00
(#) Your Uber code: 4829 qlRnn4A1sbt
Ваш код: 482913. Никому не говорите его
Код для входа в Telegram: 48291
Код подтверждения 4829 для регистрации на Avito
Пароль: 482913. Подтвердите вход в Сбербанк Онлайн
4829 — ваш код Яндекс
Tu código de verificación de Uber es 4829
482913 es tu codigo de seguridad
Introduce 482913 para iniciar sesión en tu cuenta
Su contraseña de un solo uso es 482913
Votre code de sécurité: 482913
482 913 est votre code de connexion
Utilisez le code 4829 pour vérifier votre compte
Mot de passe à usage unique : 482913
Ihr Code zur Anmeldung lautet 482913
Dein Code ist 4829. Gib ihn nicht weiter.
Ihre TAN: 482913 für die Überweisung
4829 ist Ihr Bestätigungscode
Il tuo codice di sicurezza è 482913
Codice: 4829 per accedere al tuo account
Il codice di conferma è 48291
Seu código de verificação é 4829
4829 é o seu código de acesso
Use o código 482913 para confirmar sua conta
Mã OTP của quý khách là 482913
Ma xac thuc cua ban la 4829
4829 la ma kich hoat cua ban
Kode verifikasi Anda 482913
4829 adalah kode OTP Anda. JANGAN BERIKAN
Doğrulama kodunuz: 4829
482913 onay kodu ile işleminizi tamamlayabilirsiniz
Tek kullanımlık şifreniz 482913
رمز التحقق الخاص بك: 482913
٤٨٢٩١٣ هو رمز التحقق
كود التفعيل 4829
کد ورود شما: 482913
کد تایید ۴۸۲۹۱
رمز پویا: 482913 مبلغ 1,000,000 ریال
קוד האימות שלך: 482913
הקוד שלך הוא 4829. אין להעביר לאחרים
आपका लॉगिन ओटीपी 482913 है
482913 आपका सत्यापन कोड है
รหัส OTP คือ 482913
รหัสยืนยันของคุณ: 4829
인증번호 482913을 입력하세요
[토스] 인증번호는 482913 입니다.
본인확인 인증번호[482913]를 화면에 입력해주세요
認証コードは「4829」です
あなたの確認コードは 482913 です
ワンタイムパスワード 482913
【PayPay】認証コード：4829 ※絶対に教えないでください
【东方财富】登录口令：882913，60秒内有效
【中国人寿】您的投保验证码为 3829，请在页面输入以完成电子签名
【铁路12306】取消订单验证码 338812
您好，您的登陆密码为883912，请妥善使用【某物流】
【学信网】您的校验码为：ab3d9k
【微软】使用 3829 作为 Microsoft 帐户安全代码
【苹果】您的 Apple ID 代码为：382913。请勿与他人共享。
【蚂蚁】确认码4829，用于开通免密支付
【银联】您的支付授权码 482913
【医保】认证码：4829，请在5分钟内完成人脸绑定
【哈啰】验证码为4829，仅用于登录，切勿转发。
短信登录：482913（10分钟有效）【简书】
【抖音】[#] 482913 是你的抖音验证码
【滴滴】输入482913完成手机号验证
您的激活码：8829 3377
驗證碼：482913（請勿轉發）
閣下的一次性密碼為 482913，有效期3分鐘
【中華電信】認證密碼 482913
您的 Google 驗證碼是 G-482913
Steam 驗證碼 K4TX9
認証コード:482913 このコードを入力してログインしてください
【楽天】本人確認のため、次の番号を入力してください：482913
セキュリティコード：4829（有効期限5分）
482913がお客様の認証コードです
メルカリの認証番号: 4829
[Web발신] 카카오 인증번호는 482913입니다.
[국민카드] 본인인증 번호 482913 (타인노출금지)
[삼성카드] 앱카드 인증번호 [482913]
보안코드: 4829
구글 인증코드 G-482913
482913 is your Facebook confirmation code
FB-48291 is your Facebook code
Your Amazon OTP is: 482913. Don't share
482913 is your Instagram login code. Don't share it.
Snapchat: 482913 is your one time passcode for phone enrollment
Your Lyft code is 482913
Tinder: Your code is 482913 don't share
Twilio verification code is: 482913
PIN 4829 to verify your number with Acme
Your PIN for login is 4829
Acme code: 4829. Valid for 5 minutes.
Verification code 4829
code: 4829 (do not give it to anyone)
Your Acme account activation code is: 4829-1377
Use OTP 482913 to login to your account
OTP is 482913 for your login request at Acme. Valid till 10:30.
The OTP for your Aadhaar is 482913
482913 is SECRET OTP for transaction of INR 500 on card ending 1234
Your authorization code for the payment of $50.00 is 482913
To verify your identity, please enter the following code: 482913
Please enter this number to confirm: 482913
Acme sign-up: 4829 is your code.
Your security token is 482913
Ваш код для входа: 4829
Код: 4829. Сбербанк. Никому не сообщайте
482913 - код подтверждения
Код авторизации 482913
Одноразовый пароль 482913 для входа
Код из СМС: 4829 для входа в приложение
Вводите код 4829 только на сайте gosuslugi.ru
Kод 4829 для подтверждения телефона
Su código es 4829
Tu código: 4829 para iniciar sesión
Código OTP 482913
Tu contraseña temporal es 482913
Clave dinamica 482913
Ingresa el codigo 4829 para validar tu celular
4829 es tu código de acceso
Votre code : 482913
Code SMS 482913 pour valider votre achat
Entrez le code 4829 pour vous connecter
Voici votre code de connexion : 482913
Ihr Code lautet: 482913
4829 ist dein Code für Uber
Bestätigungscode 482913
Geben Sie 482913 ein, um Ihre Nummer zu bestätigen
SMS-TAN: 482913
Il tuo codice è 482913
Codice OTP: 482913
Inserisci 4829 per confermare il tuo numero
Seu código: 4829
Seu token é 482913
Código 482913 para entrar na sua conta
A sua palavra-passe temporária é 482913
Mã của bạn là 482913
Mã đăng nhập: 482913
OTP: 482913. Khong chia se
Ma giao dich OTP cua Quy khach la 482913
Kode Anda: 482913
Masukkan kode 482913 untuk login
OTP Anda 482913. Rahasia!
Kode login 4829
Onay kodu: 482913
Giriş şifreniz 482913
Kodunuz: 4829
İşlem şifreniz: 482913. Kimseyle paylaşmayın
رمزك هو 4829
كود التحقق الخاص بك 4829
رمز الدخول: 482913
OTP: 482913 لا تشارك الرمز
کد فعالسازی: 4829
کد شما 482913
رمز یکبار مصرف: 482913
קוד אימות: 482913
הקוד לכניסה: 482913
סיסמה חד פעמית: 482913
आपका OTP 482913 है
सत्यापन कोड: 482913
लॉगिन के लिए 482913 कोड का उपयोग करें
รหัส OTP: 482913
รหัสของคุณคือ 4829
โค้ดยืนยัน 482913
OTP ของคุณคือ 482913
Battle.net: your authenticator reset code is XK29QT
Your Epic Games security code: QW8E2R
Riot Games login code: A1B2C3
Ubisoft: AB12CD34 is your verification code
X1Y2Z3 is your Acme code
Guard code: 7QK2M
Su código: AB12C
Votre code: 7KX4Q
Ihr Code: X7K2Q
Seu código: 7XK2
Kod: 7XK2Q
Kodunuz AB12CD
验证码是AB12CD，请查收
A1B2C3 为您的验证码
認証コード: X7K2Q9
인증번호 A1B2C3
код A1B2C3 для входа
Código 4829: não partilhe
O código de segurança para a sua compra é 482913
MB WAY: 482913 é o código para confirmar
Use o token 482913 para autorizar
Insira 4829 para concluir o cadastro
Código Nubank: 4829
Seu PIN: 4829. Válido por 5 minutos
482913 - codigo de verificacao
Chave de acesso: 482913
Senha para acesso: 482913
Digite 482913 no app
4829 e seu codigo
Caixa: código 482913 para validar o dispositivo
Confirme seu e-mail com o código 482913
Código de uso único: 482913
Informe o código 4829 para prosseguir
Voici le code à saisir : 482913
482913 : votre code pour vous identifier
Code 482913. Ne le partagez pas.
Votre mot de passe temporaire est 482913
Code à 6 chiffres : 482913
Pour vous connecter, tapez 482913
Le code pour valider votre paiement est le 482913
Votre code Doctolib est le 4829
4829 est ton code
Saisir le code 482913 pour finaliser votre inscription
OTP : 482913
Doğrulama için 482913 kodunu girin
482913 kodunu kimseyle paylaşmayın
Giriş kodunuz 4829
Güvenlik kodu: 482913
Şifreniz: 4829
Kod 482913 ile giriş yapabilirsiniz
Onaylamak için 4829 giriniz
Tek seferlik şifre 482913
Parolanız 482913
İşlem onay şifreniz 482913, tutar 500 TL
Üyelik doğrulama kodunuz 4829
4829 WhatsApp kodunuz
482913: your Acme code
482913 - your Acme verification code
4829 is the code for your Acme account
482913 to verify
482913 is what you need to log in
Code 482913 for Acme login
(482913) is your Acme code
482913 as your Acme login code
Hi Sam, 482913 is your sign-in number
482913 → your verification code
482913 sera votre code
482913 lautet Ihr Code
482913 ist Ihre TAN
482913 codice per accedere
482913 es el código
482913: código de verificación
482913 para verificar tu cuenta
482913 -- ваш код
482913 ваш пароль
482913 để xác thực
482913 untuk masuk
482913（验证码）
482913您的登录验证码
482913，请在页面中输入
482913 是登录口令
482913認証コード
482913 인증번호입니다
كودك 4829
482913 رمزك
4829 هو كود
482913 کد شما
482913 קוד האימות
482913 คือรหัส OTP
482913 ओटीपी है
Pin: 4829
Your Acme PIN is: 4829
Passcode: 482913
Your mobile verification code: 4829
Security Code - 482913
OTP-482913
OTP 482913.
Use PIN 482913 to complete
Here's your code: 482913
Your login: 482913
Sign in with 482913
Confirm your number: 4829
Text verification code (482913)
Your temporary access code is: 4829-1377
Dear user, passcode=482913
Código para confirmar a transferência: 482913
Clave OTP: 482913
Tu PIN es 4829 para activar tu cuenta
Tu token es 482913
Usá 4829 para ingresar
Para continuar, escribe 4829
Su código Acme es: 4829
Código de un solo uso 482913
Code für Ihre Anmeldung: 482913
Mit 482913 bestätigen Sie Ihre Nummer
Zur Anmeldung: 482913
Dein Anmeldecode: 4829
Passwort für den einmaligen Zugang: 482913
Il codice per accedere è 482913
La tua password temporanea è 482913
Usa 4829 come codice
Conferma con il codice 482913
Введите 4829 для входа
Код регистрации: 4829
Ваш пароль 482913
Код доступа 4829
Для входа используйте 4829
SMS-код: 4829
Mã xác thực: 4829
Nhập 482913 để đăng nhập
Mật khẩu OTP: 482913
Ma bao mat 4829
Gunakan 482913 untuk verifikasi
Kode masuk: 4829
Kode akses Anda 4829
""".strip().split("\n")


LOOK_ALIKES = """
【菜鸟】您的快递已到，取件码 4-2-8823，请尽快取件
【丰巢】凭取件码883921到柜机取件
【京东】您的订单已发货，运单号JD882918273，验货后签收
【美团】您的团购券码为 8837 2918 22，请到店出示
【建设银行】您尾号8837的账户8月3日支出人民币882.00元，余额3382.12元
【工商银行】我行绝不会以任何理由索要您的短信验证码，详询95588
【中国移动】尊敬的客户，您的话费余额为8.23元，请及时充值
【滴滴】行程已开始，车牌辽B88213，司机电话13800138000
【支付宝】您的登录密码已修改，如非本人操作请致电95188
【航空】您的航班CZ3382将于08:30起飞，登机口A12
【某电商】双十一预售开启，定金50抵100，戳 t.cn/Az88 退订回T
发票代码 044001900111 发票号码 88291822
您的停车费已缴，车牌粤B88213，入场时间 0832
WiFi密码 88213377
您的会员卡号 88213377，密码 338812，请妥善保管
我到楼下了，门牌 1203 门禁密码 8821#
【医院】您的就诊号 8821，请到3楼候诊
【影院】取票码 883 129，请凭码取票
明天下午1430在A208开会
【招聘】诚聘兼职 日结500 加Q 88213377 无需验证码
【交警】您的车辆粤B88213于8月3日违停，请及时处理，查询12123
【国网】您的户号 8821337700 本月电费 88.21元
请拨打 4008123123 或 95588 咨询，不要泄露验证码
Your package will arrive today. Tracking number 88213377
Your pickup PIN is 8821 for locker 12
Order #88213 confirmed
Use promo code SAVE2024 for 20% off
Your flight AA1234 is delayed to 0830
Call 18005551234 for help
Your appointment is on 2024-08-12 at 0930
Your card ending in 8821 was charged $88.21
We will never ask you for your verification code. Call 8821337
Meet me at 1900 at the station
The gate code is 8821
Your table reservation 8821 is confirmed
Reminder: bill of 882133 due on 0812
Two-factor authentication is now enabled on your account
Your verification code has expired. Please request a new one.
Your zip code 90210 has been updated
Win 10000 coins now! Login code not needed
Reply 1234 to confirm your appointment
Balance: 88213 points. Redeem at store
Ваш заказ 882133 доставлен в пункт выдачи
Код получения посылки 8821
Карта *8821 списание 882р баланс 8821р
Промокод SALE8821 на скидку 20%
Su paquete 88213377 llega hoy, código de entrega 8821
Código postal 28001
Votre colis 88213377 est en route
Code promo ETE2024 -20%
Ihre Sendung 88213377 wird heute zugestellt
Gutscheincode: SOMMER2024
Il tuo ordine 882133 è stato spedito
Codice sconto 8821 valido fino al 12/08
Seu pedido 882133 saiu para entrega
Cupom de desconto 8821
Đơn hàng 882133 đã giao
Mã giảm giá 8821
Paket 882133 sudah sampai
Kode promo 8821 diskon 50%
Siparişiniz 882133 yola çıktı
İndirim kodu: 8821
طلبك رقم 882133 في الطريق
كود الخصم 8821
کد تخفیف 8821
سفارش 882133 ارسال شد
קוד קופון 8821
ההזמנה 882133 נשלחה
आपका ऑर्डर 882133 डिलीवर हो गया
कूपन कोड 8821
พัสดุ 882133 จัดส่งแล้ว
โค้ดส่วนลด 8821
주문번호 882133 배송 시작
쿠폰번호 8821
ご注文番号 882133
クーポンコード 8821
暗証番号を忘れた方は 0120882133
【楽天】ポイント8821進呈
Ваучер 8821-3377 на бензин
【招商银行】您的信用卡本期账单金额8829.13元，最低还款882.91元
【顺丰】您的快件已签收，签收人:本人，运单SF1029384756
【天猫】双11红包口令 88213377，复制打开淘宝领取
【某酒店】您的房间号 1203，房间密码 882133，祝您入住愉快
【电影票】取票序列号 8821 验证码 3377，凭此取票
【支付宝】您在手机上登录了支付宝，如非本人操作请修改密码
【建行】验证码错误次数过多，账户已锁定24小时
【京东】配送员将于15:00送达，收货码 3829
【中国移动】您已订购10GB流量包，资费20元，回复8821退订
【网易】您的邀请码 AB12CD，邀请好友得奖励
本店新到货，下单立减，优惠码NEW2024
我的工号是 88213，密码你问老张
您的验车码 8821，请到检测线
【社保】您的养老金882.13元已到账
【停车】车位 A1203 已预约
您的快递放在A柜12号格，开柜码 882133
【春秋航空】订座记录编号 AB12CD，航班9C8829
会议密码 882133 腾讯会议号 882-133-377
您的电子发票提取码 8821
【百度网盘】分享链接 pan.baidu.com/s/1abc 提取码: a8b2
【12345】您反映的问题工单号 20240812882 已受理
您的包裹驗收碼 8821
電影票取票號 882133
訂單編號 88213377 已出貨
お荷物のお届け予定 8/12 14:00 伝票番号 4829-1377-8821
ご予約番号 882133 明日19:00
ポイント有効期限のお知らせ 8821ポイント
[CJ대한통운] 고객님의 상품이 배송 완료되었습니다. 1588-1255
[은행] 입금 882,133원 잔액 1,882,133원
예약번호 882133 확인되었습니다
공동현관 비밀번호 1203
Your booking reference is AB12CD
Your boarding gate is 12, flight BA1234 at 0830
Your gift card code is AB12-CD34
Your locker code 882133 expires at 20:00
Your Wi-Fi password is 88213377
Use voucher code 8821 at checkout
Your parcel 88213377 is out for delivery. Delivery PIN: 8821
Door code: 8821
Your claim number is 882133
Your ticket number 882133 has been created
Invoice 882133 due on 08/12
You have 8821 reward points
Your PIN was changed successfully. If not you call 18005551234
Your password has been reset
We've sent a verification code to your email
Beware of fraud: never give your OTP to callers. Helpline 1930
Our employees will never ask for your PIN or password
Verification call from 882133
Your loan of 50000 is approved. No documents. Call 9812345678
Room 1203 check-in after 1500
my new code is awesome, 2024 will be great
Your student ID is 882133
Your case 8821337 has been updated
Dial 611 or use code *8821# to check balance
Ваш баланс 882 руб
Посылка прибыла, код выдачи 4829
Номер заказа 48291
Код домофона 4829
Талон 882 окно 5
Вы вошли в аккаунт с нового устройства
Никому не сообщайте коды из СМС
Su pedido 48291 está listo para recoger
Código de reserva AB12CD
Su saldo es 4829
Nunca compartas tu código de verificación
Votre numéro de dossier est 482913
Code porte 4829
Votre rendez-vous le 12/08 à 14h30
Ne communiquez jamais votre code
Ihre Bestellnummer 482913
Ihre Kundennummer 48291377
Abholcode 4829
Geben Sie niemals Ihre TAN weiter
Il tuo appuntamento 12/08 ore 1430
Codice prenotazione AB12CD
Non condividere mai il codice OTP
Seu protocolo 482913
Código de rastreio BR482913
Nunca compartilhe seu código
Mã đặt chỗ 482913
Số dư tài khoản 482,913 VND
Nomor antrian 482
Kode booking 482913
No resi 48291377
Jangan berikan kode OTP kepada siapapun
Randevunuz 12.08 14:30
Takip no: 48291377
Şifrenizi kimseyle paylaşmayın
رقم الطلب 482913
موعدك يوم 12/08 الساعة 1430
لا تشارك رمز التحقق مع أحد
شماره مرسوله 482913
موجودی حساب 482913 ریال
מספר הזמנה 482913
קוד לדלת 4829
लेनदेन आईडी 482913
खाते में 4829 रुपये जमा
เลขที่คำสั่งซื้อ 482913
ยอดเงิน 4829 บาท
Call 8821337 to verify your delivery address
Reply 1234 to confirm your appointment
Your order 882133 is ready to confirm
Flight 1234 to confirm seats
Room 1203 to verify minibar
Please bring form 88213 to verify your identity at branch
Para confirmar su cita llame al 88213377
Cita 4829 para confirmar asistencia
Pedido 48291 para entrar em produção
Votre commande 48291 pour confirmer la livraison
Termin 4829 zur Bestätigung
Bestellung 48291 bestätigen Sie bitte
Randevu 4829 için onay bekleniyor
Заказ 48291 для подтверждения позвоните
Nhập kho 4829 để xác nhận đơn
Antrian 4829 untuk konfirmasi datang
2025 code of conduct is now available
1000 code lines were removed
请输入 20240812 之前的日期
我在 8821 房间，请输入你的名字
Ihr Termin am 12.08. Bitte bestätigen
Your meeting ID 882133 to log in use the link
Bus 4829 to sign in
Ordine 48291 per confermare chiama
Codice cliente 48291 per accedere allo sconto
""".strip().split("\n")
