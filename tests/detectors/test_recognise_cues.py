"""Codes that no usual phrase names, told by several cues together, and what looks like them.

Texts are made up, ten or so in each language. They were written from lists of cues (what a code is
called, what it is for, how it is to be kept) before the rules had seen them.
"""

from __future__ import annotations

import pytest

from detectors.recognise import recognise
from detectors.registry import Registry

REGISTRY = Registry.shipped()

CODES = """
【云舟笔记】本次换绑手机的口令 508213，三分钟后作废，切莫外传。
【青禾银行】您申请将限额调整至50,000元，请将短信中的数字 771930 回填至页面，非本人请致电客服。
账户找回：请于10分钟内把 660184 填到找回页。不是您申请的就别理会。【木南社区】
【智签】合同签署意愿确认，签署密码为 304715，签署人：李**，请勿代他人操作
418820，您的绑卡校验数字，勿告诉任何人，包括自称客服者【禾信支付】
【城市一网通】您正以法人身份登录，短信口令：B7K2Q9（区分大小写）
【雪球旅行】設備更換驗證：請輸入 905517，5 分鐘內有效
【大河證券】閣下正登記新裝置，保安驗證編號 77120934，切勿向任何人透露，包括職員。
你嘅轉數快登記 code：552018，唔好俾人知
【福田銀行】網路轉帳 NT$12,000，OTP密碼660913，3分鐘內輸入
您要求的密碼重設代號為 4471，若非本人操作請忽略
【拾光書店】會員綁定手機：請於頁面鍵入 20916 完成。
Tandem: 604 118 is how you get back into your account. Nobody at Tandem will ask for it.
Hi Jo, pop 88204 into the app to prove it's really you. It dies in 10 minutes.
Someone (hopefully you) is adding a payee on Larkbank. Approve with 339105. Not you? Ring us.
Your Fernway backup phrase code to reset your password: H7-KQ2. Ignore if you didn't ask.
Here you go:\\n\\n440917\\n\\nType this to finish signing up. Good for 15 min.
Aapka Paywali login OTP 482913 hai, kisi ko mat batana
UPI registration ke liye 771204 daalein. Yeh code kisi se share na karein.
OTP to authorise INR 4,500.00 at Zestmart on card xx1182 is 660213. Not you? SMS BLOCK to 56767
Your Kestrel one-time access key: 9KX2TT. Expires at 14:05.
Linking your device to Owlet? Confirm with PIN 7720, valid 2 mins.
ログイン用の数字は 771-204 です。10分以内に入力してください。
【みどり銀行】振込先登録のお手続き：確認用パスワード 66021983（第三者に教えないでください）
新しい端末でのサインインを検知しました。ご本人の場合は 5082 を入力してください。
パスワード再設定キー：KX72QP　有効期限は30分です。心当たりがない場合は破棄してください。
[そらペイ] チャージ口座の登録に必要な暗証コードは「309118」。スタッフがお聞きすることはありません。
アカウント復旧のお手続き\\n\\n204981\\n\\nこの番号を画面に入力してください
[모아은행] 이체 확인을 위해 482913 을 입력하세요. 타인에게 절대 알려주지 마세요.
비밀번호 재설정 인증값 7K2QX9 (10분 유효)
새 기기에서 로그인하려면 아래 숫자를 입력하세요\\n660 218
[구름마켓] 휴대폰 변경 인증 309 114, 본인이 아니면 무시하세요
OTP번호 551820 간편결제 등록용입니다. 유출 주의
본인 확인용 숫자는 88201 입니다. 3분 안에 입력해 주세요
Вход с нового устройства. Введите 660218, если это вы. Действует 5 мин.
Лимонбанк: 4471 - подтверждение перевода 12 500 р на карту *0918. Никому не называйте цифры
Для смены номера телефона укажите 308-114 в приложении. Не запрашивали? Проигнорируйте.
Ключ восстановления аккаунта: HX72KQ, истекает через 15 минут
Подписание договора займа №48-2291: ПЭП-код 551029. Не сообщайте сотрудникам.
Привязка карты к кошельку Пуш: пароль 77120. Если это не вы, звоните 88005553535
Aurora Banco: para autorizar la transferencia de 1.200,00 EUR teclea 660218. Nadie te lo pedirá.
¿Cambiaste de celular? Ingresa 4471 para vincular tu nuevo dispositivo. Vence en 5 min.
Tu llave temporal de Bancalia: 77120934, no la compartas ni con nuestros asesores
Recupera tu cuenta de Luminé con KX72Q. Si no lo pediste, ignora este mensaje.
309 118 es lo que necesitas para entrar en Tuenvío. Caduca en 10 minutos.
Firma digital del contrato 2291-B: clave 551820, válida 15 min. No la divulgues.
Banco Cedro: p/ autorizar Pix de R$ 350,00 digite 660218 no app. Não foi você? Ligue 0800 729 0001
Troca de aparelho: seu PIN provisório é 4471 e vence em 5 minutos. Não repasse.
Introduza 309118 para aderir ao débito direto. Nunca o partilhe, nem connosco.
Sua chave de recuperação da conta Lumo: KX72QP. Se não pediu, desconsidere.
Nova palavra-passe: confirme o pedido com os dígitos 77120. Válido 10 min
551820 - use para entrar no Portal do Aluno. Expira em 15 min.
Banque du Lac : pour autoriser le virement de 350,00 EUR, saisissez 660218. À ne jamais communiquer.
Nouvel appareil détecté. Sésame : 4471, valable 5 min. Pas vous ? Changez votre mot de passe.
Tapez KX72QP pour récupérer l'accès à votre espace Lumio. Ne le transmettez à personne.
Signature électronique du bail : code 309 118 à reporter sur la page, validité 15 mn
Ton code Cabriol c'est 7712, garde-le pour toi !
551820 : à saisir pour terminer votre inscription chez Folio. Pas vous ? Ignorez ce SMS.
Seebank: Zur Freigabe der Überweisung über 350,00 EUR bitte 660218 eingeben. Wir fragen nie danach.
Neues Gerät erkannt. Deine Zahlenkombination: 4471, 5 Min. gültig. Nicht du? Passwort ändern.
KX72QP eintippen, um dein Lumio-Konto wiederherzustellen. Niemandem mitteilen.
Für die digitale Unterschrift des Mietvertrags lautet Ihre Ziffernfolge 309118 (15 Min.)
Din Code für s'Login isch 771204, gib en niemandem wiiter.
E-Banking Login 551820. Läuft in 3 Minuten ab. Falls Sie das nicht waren, rufen Sie uns an.
Banca del Lago: per autorizzare il bonifico di 350,00 EUR digita 660218. Nessuno te lo chiederà mai.
Nuovo dispositivo rilevato. La tua chiave temporanea: 4471, scade tra 5 min.
KX72QP per recuperare l'account Lumio. Non comunicarlo a nessuno. Non sei stato tu? Ignora.
Firma del contratto n. 2291: inserire le cifre 309118 entro 15 minuti
551820 e' il tuo accesso a SanitApp, valido 10 min
Ngan hang Ho Guom: de chuyen tien 3,500,000 VND, nhap 660218. Nhan vien khong bao gio hoi ma nay.
Thiết bị mới đăng nhập Lumio. Mã PIN tạm thời: 4471, hiệu lực 5 phút
KX72QP là mã khôi phục tài khoản Folio của bạn. Đừng cung cấp cho bất kỳ ai.
Ký hợp đồng điện tử: mã ký số 309118, hết hạn sau 15 phút
OTP doi so dien thoai: 771204. Neu khong phai ban, vui long bo qua.
551820 de hoan tat dang ky Muaki. HSD 10 phut.
ธนาคารริมน้ำ: โอนเงิน 3,500 บาท กรอก 660218 เพื่ออนุมัติ ห้ามบอกใคร
พบอุปกรณ์ใหม่เข้าสู่ระบบ ใช้เลข 6 หลัก 447120 ภายใน 5 นาที
KX72QP คือรหัสกู้คืนบัญชี Lumio ของคุณ หากคุณไม่ได้ขอโปรดเพิกเฉย
OTPของคุณคือ309118ใช้ได้ภายใน 15 นาที
เปลี่ยนเบอร์โทรศัพท์: พิมพ์ 771204 ในแอป อย่าเปิดเผยให้ผู้อื่น
รหัสลงนามสัญญา 551820 มีอายุ 10 นาที
Bank Tepi: utk transfer Rp350.000 masukkan 660218. Petugas tdk pernah minta kode ini.
Login dari HP baru? PIN sementara kamu 4471, berlaku 5 mnt
KX72QP adalah kode pemulihan akun Lumio. Abaikan jika bukan kamu.
Tanda tangan digital kontrak: kode 309118 exp 15 menit, jgn kasih siapapun
Ganti nomor HP. Ketik 771204 di aplikasi
551820 buat daftar Warungin ya kak, jgn disebar
Göl Bankası: 350,00 TL EFT işlemini onaylamak için 660218 giriniz. Personelimiz bu kodu istemez.
Yeni cihazdan giriş. Geçici PIN'iniz 4471, 5 dk geçerli
KX72QP ile Lumio hesabınızı kurtarabilirsiniz. Kimseye söylemeyin.
Kira sözleşmesi e-imza şifreniz: 309118, süresi 15 dk. Talep size ait değilse yok sayın.
Telefon numarası değişikliği için uygulamaya 771204 yazın
551820 Defterim üyelik kodunuzdur
بنك البحيرة: لتحويل مبلغ 350 ريال أدخل 660218 ولا تعطه لأي أحد حتى موظف البنك
جهاز جديد يحاول الدخول. كود مؤقت 4471 صالح لمدة 5 دقائق
KX72QP رمز استرجاع حسابك في لوميو، تجاهل الرسالة إذا لم تطلبه
كود تغيير رقم جوالك: ٧٧١٢٠٤ ما تعطيه لأحد
الكود بتاعك 551820 متديهوش لحد
توقيع العقد الالكتروني: استخدم الرمز 309118 خلال 15 دقيقة
بانک دریاچه: برای انتقال 3,500,000 ریال رمز 660218 را وارد کنید. در اختیار کسی قرار ندهید.
ورود از دستگاه جدید. پین موقت شما: ۴۴۷۱ (۵ دقیقه اعتبار)
KX72QP کد بازیابی حساب لومیو. اگر درخواست نداده‌اید نادیده بگیرید.
کدتون ۷۷۱۲۰۴ هست، به هیچ‌کس نگید
551820\\nرمز عضویت شما در فولیو
בנק האגם: לאישור העברה של 350 ש"ח הזינו 660218. נציגינו לעולם לא יבקשו את הקוד.
כניסה ממכשיר חדש. הסיסמה הזמנית שלך 4471, בתוקף 5 דקות
KX72QP הוא קוד השחזור לחשבון לומיו. לא ביקשת? אפשר להתעלם.
לחתימה על החוזה הקש 309118 תוך 15 דקות
שינוי מספר הטלפון: הקוד הוא 771204, לא לשתף
551820 זה הקוד שלך לפוליו
झील बैंक: रु 3,500 के भुगतान को स्वीकृत करने हेतु 660218 दर्ज करें। किसी को न बताएं।
नए डिवाइस से लॉगिन। आपका अस्थायी पिन 4471, 5 मिनट तक मान्य
KX72QP आपके लूमियो खाते का रिकवरी कोड है। यदि आपने अनुरोध नहीं किया तो अनदेखा करें।
ई-साइन के लिए OTP 309118 डालें, 15 मिनट में समाप्त
मोबाइल नंबर बदलने हेतु ओ.टी.पी. ७७१२०४
551820 फोलियो पर रजिस्ट्रेशन का कोड, साझा न करें
【星河云】你好，你正在使用短信方式登录，校验数字 6093，请于 3 分钟内输入。
【蓝桥证券】资金转出确认：动态口令 771203，转出金额 8,000.00 元，切勿告知他人
【岚山医院】预约平台注册码：90214，5分钟内填写有效
【壹账通】您的一次性通行密码为 8H2KQ9，如非本人操作请立即修改密码
【海岸信用社】手机号变更申请，安全码 440918，客服不会向您索取
【聯邦網銀】約定轉帳設定驗證碼：209914，請於網頁輸入，切勿轉傳
Hey Sam — your Kiteline code's 4471. Keep it to yourself.
Orchard Bank: use 660218 to approve GBP 42.10 at TESCO STORES. If this wasn't you call 0800 111 222.
Security check for Pinewood: reply not needed, just enter 90214 on screen.
Verify it's you: 3391. - Team Mossy
Password reset requested. Code 20-91-44, valid for 1 hour.
Your GreenGov sign in security number is 552 018
【ソラ銀行】インターネットバンキングの取引パスワード：660218 有効時間3分
スマホ決済の本人確認コード「4471」をアプリでご入力ください
ログイン試行がありました。認証数字 90214
会員登録ありがとうございます。登録用の番号 552018 を画面に入力してください
[별빛카드] 해외결제 인증번호(660218)를 입력해주세요. 승인금액 42.10 USD
[하늘청] 전자민원 로그인 일회용 비번 4471
회원탈퇴 확인 코드는 90214 입니다
Код 660218 для оплаты 1 250,00 р в OZON. Никому его не говорите
Заря: вход в личный кабинет. Код: 4471
90214 — пароль от Рассвет ID. Не передавайте
Ваш временный PIN: 5520
Tu código de Rayo es: 4471. No lo compartas
Banco Sol: OTP 660218 para compra por $1,250.00 en AMAZONIA. ¿No la reconoces? Llama al 8005551234
Para activar tu línea digita 90214 en la app
O teu PIN de confirmação Raio é 4471
Banco Sol: token 660218 p/ compra de R$ 1.250,00. Nao reconhece? Ligue 0800 123 4567
Código p/ entrar: 90214
Votre code Éclair : 4471. Ne le partagez pas
Banque Soleil : achat de 42,10 EUR chez AMAZONIE. Code 660218 pour confirmer. Pas vous ? Opposition.
Blitz: 4471 ist dein Code. Teile ihn nicht.
Sonnenbank: Zahlung 42,10 EUR an AMAZONIEN mit TAN 660218 freigeben
Il tuo codice Fulmine: 4471. Non condividerlo
Banca Sole: acquisto 42,10 EUR. Usa OTP 660218 per autorizzare. Non riconosci? Chiama 800123456
Ma OTP cua ban tai Tia Chop la 4471. Khong chia se cho bat ky ai.
NH Mat Troi: GD thanh toan 1.250.000 VND, ma xac thuc 660218, hieu luc 3 phut
รหัส OTP สำหรับทำรายการ 1,250.00 บาท คือ 660218 (Ref: KXQP) ห้ามบอกผู้อื่น
รหัสเข้าแอปสายฟ้าของคุณ 4471
Kode Petir kamu: 4471. Jangan kasih tau siapa2 ya!
Bank Surya: OTP 660218 utk transaksi Rp1.250.000. Bkn anda? Hub 1500123
Yıldırım kodun 4471, kimseyle paylaşma
Güneş Bank: 1.250,00 TL harcamanız için onay şifresi 660218
رمز برق: 4471 لا تشاركه مع أحد
بنك الشمس: كلمة المرور المتغيرة 660218 لعملية شراء بمبلغ 1,250 ريال
کد ورود آذرخش: 4471
بانک خورشید: رمز دوم ۶۶۰۲۱۸ خرید ۱,۲۵۰,۰۰۰ ریال
קוד הכניסה לברק: 4471
בנק השמש: לאישור עסקה בסך 1,250 ש"ח הקוד הוא 660218
बिजली ऐप का कोड 4471 है, किसी को न बताएं
सूर्य बैंक: रु 1,250 के लेनदेन के लिए ओटीपी 660218
【浪花音乐】您正在注销账号，注销验证码 7720，若非本人请速联系客服
【晨光税务】扫码登录确认码：A7K2，60秒内有效
「拾楓」提醒您：啟用行動身分識別，認證密碼 K2Q9XA
Thornbury Council: your one-time login number is 4471 – expires in 20 min
We got a request to turn off two-step login. To allow it, use 660 218.
Pixely - 90214 - your sign-in passcode
ゆうなぎ証券：出金手続きの認証番号【660218】を入力してください
[들꽃] 4471 을(를) 입력해 이메일 주소를 인증하세요
Ваш одноразовый код 4471. Срок действия 3 мин
Код: КТ-4471 для входа в Терем
Su clave de ingreso a Nube es 90214, vigente por 5 minutos
Código para confirmar o teu telemóvel: 4471
Voici votre code confidentiel à usage unique 660218
Ihre mobileTAN für Auftrag 0918 lautet 660218
Ecco il codice per completare la registrazione: 4471
Ma xac minh Telegram cua ban: 44718
รหัสผ่านครั้งเดียวคือ 660218 หมดอายุใน 3 นาที
Jangan bagikan kode ini: 4471 adalah kode masuk Awan
Bulut'a giriş için tek kullanımlık kodunuz: 4471
كود الدخول لمرة واحدة 4471 صالح 5 دقائق
رمز یک‌بارمصرف ورود به ابر: ۴۴۷۱۰
קוד חד-פעמי לכניסה: 4471. תקף ל-3 דקות
बादल में लॉगिन हेतु कोड: 4471
""".strip().split("\n")

LOOK_ALIKES = """
【速达】骑手已到楼下，见面请报 7712 核对餐品。
【有间酒店】您的房门密码 660218，退房前有效，WiFi 同房号。
【安居停车】临时车辆放行码 4471，15分钟内有效，请向保安出示
【好味轩】前方还有12桌，您的号牌 A0771，过号作废
【小象生鲜】团长已到货，提货口令 8820，请到店出示，勿告知他人
【反诈中心】冒充客服要求共享屏幕、索要验证码的一律挂断，举报请拨96110
【城东物業】磁扣停用期間臨時門禁密碼 5518，僅限今日，請勿外傳。
【雲端影城】取票序號 77120934，憑此至櫃檯取票
【鮮乳坊】新會員輸入 MILK66 享9折，效期至 12/31
司機已抵達上車點，請告知車號末四碼 0918
【水務局】水表編號 20916，本期應繳 551 元
提防假冒銀行短訊，切勿輸入一次性密碼，查詢 18222
Your Larkride driver is here. Give them PIN 7712 to start the trip.
Parcel shelf 14: code 660218, collect within 3 days or we send it back.
Your cabin keypad is 4471, valid until checkout on Sunday. Don't share it with other guests.
You're number 88 in the queue. Token A0771, counter 5.
New here? Sign up with FERN20 for 20% off, valid 7 days.
Payment of 551.20 received for account 77120934. Ref 660218. Thanks!
Reminder: your passport appointment, reference 309118, is confirmed for 2 pm. Bring your ID.
Meter reading for account 2209 is due. Text your reading to 88204.
Fraud alert: criminals text asking for security codes. Report it to 7726.
Aapka parcel aa gaya hai, delivery boy ko 4471 batayein
Your raffle entry 660218 is confirmed, draw on Friday. Never miss a prize!
Mum, the alarm is 7712 then press set, don't tell your brother lol
ドライバーが到着しました。乗車時に 7712 をお伝えください。
宅配ボックスの暗証番号は 660218 です。3日以内にお受け取りください。
【つばめホテル】お部屋の解錠コード 4471（チェックアウトまで有効）
整理番号 0771、ただいま12組待ちです
新規登録で使えるクーポンコード MIDORI20、有効期限は12/31
検針のお知らせ お客様番号 77120934 ご使用量 551kWh
[구름택시] 기사님께 탑승코드 7712 를 알려주세요
공동현관 출입번호 660218# 입니다. 3일간 유효
[달빛호텔] 객실 도어락 비밀번호 4471, 체크아웃까지 유효합니다
대기번호 0771, 앞에 12팀 있습니다
신규가입 쿠폰번호 MOA20, 12/31까지 유효
보이스피싱 주의! 인증번호를 요구하면 112 또는 1332로 신고하세요
Водитель подъехал. Назовите ему 7712, чтобы начать поездку.
Постамат на Лесной: ячейка откроется по коду 660218, хранение 3 дня.
Код от калитки 4471, действует до воскресенья, соседям не говорите
Ваш талон А0771, перед вами 12 человек
Зарегистрируйтесь по промокоду LIMON20 и получите скидку, действует до 31.12
Передайте показания счётчика 20916 до 25 числа
El conductor llegó. Dile el PIN 7712 para iniciar el viaje.
Tu taquilla se abre con 660218. Tienes 3 días para recogerlo.
Código de la puerta del apartamento: 4471, válido hasta el check-out
Turno A0771, faltan 12 personas
Regístrate con el código AURORA20 y consigue un 20%, válido hasta 31/12
Pago de 551,20 EUR de la factura 77120934, referencia 660218
O motorista chegou. Informe o PIN 7712 para iniciar a corrida.
O cacifo abre com 660218. Tem 3 dias para levantar a encomenda.
Senha do portão: 4471, válida até domingo
Sua senha de atendimento é A0771, guichê 5
Cadastre-se com o cupom CEDRO20 e ganhe 20% off, válido até 31/12
Leitura do contador 20916 até dia 25
Votre chauffeur est arrivé. Donnez-lui le code 7712 pour démarrer la course.
Votre casier s'ouvre avec le code 660218, sous 3 jours.
Code de la boîte à clés : 4471, valable jusqu'à dimanche
Ticket A0771, 12 personnes devant vous
Inscrivez-vous avec le code LAC20 : -20 % valable jusqu'au 31/12
Facture 77120934 : paiement de 551,20 EUR reçu, référence 660218
Ihr Fahrer ist da. Nennen Sie ihm die PIN 7712, um die Fahrt zu starten.
Fach 14 öffnet mit 660218, Abholung binnen 3 Tagen
Code für den Schlüsseltresor: 4471, gültig bis Sonntag
Wartenummer 0771, noch 12 Personen vor Ihnen
Registrieren und mit SEE20 20 % sparen, gültig bis 31.12.
Zählerstand für Zähler 20916 bitte bis 25. melden
L'autista è arrivato. Comunicagli il PIN 7712 per iniziare la corsa.
L'armadietto si apre con 660218, ritira entro 3 giorni
Codice del cancello 4471, valido fino a domenica
Numero di coda A0771, 12 persone davanti
Registrati con LAGO20 e risparmia il 20%, valido fino al 31/12
Autolettura contatore 20916 entro il 25
Tai xe da den. Doc ma 7712 cho tai xe de bat dau chuyen di.
Tủ 14 mở bằng mã 660218, nhận hàng trong 3 ngày
Mật khẩu cửa căn hộ 4471, hiệu lực đến chủ nhật
Số thứ tự 0771, còn 12 người
Dang ky moi nhap HOGUOM20 giam 20%, HSD 31/12
Chi so cong to 20916, so tien 551.000d
คนขับมาถึงแล้ว แจ้งรหัส 7712 กับคนขับเพื่อเริ่มเดินทาง
ตู้ 14 เปิดด้วยรหัส 660218 รับพัสดุภายใน 3 วัน
รหัสประตูห้องพัก 4471 ใช้ได้ถึงวันอาทิตย์
คิวที่ 0771 รออีก 12 คิว
สมัครใหม่ใส่โค้ด RIM20 ลด 20% ถึง 31/12
เลขมิเตอร์ 20916 ยอดชำระ 551 บาท
Driver sudah tiba. Sebutkan PIN 7712 ke driver untuk mulai perjalanan.
Loker 14 dibuka dgn kode 660218, ambil dlm 3 hari
Kode pintu villa 4471, berlaku sampai check-out
Antrean A0771, 12 orang lagi
Daftar pakai TEPI20 diskon 20%, berlaku s/d 31/12
Stan meter 20916, tagihan Rp551.000
Sürücünüz geldi. Yolculuğu başlatmak için sürücüye 7712 pinini söyleyin.
14 nolu dolap 660218 ile açılır, 3 gün içinde alın
Daire kapı şifresi 4471, pazara kadar geçerli
Sıra numaranız A0771, önünüzde 12 kişi var
GOL20 koduyla üye ol %20 indirim kazan, 31/12'ye kadar geçerli
Sayaç no 20916, son ödeme 25'i, tutar 551 TL
وصل الكابتن. أعط الكابتن الرمز 7712 لبدء الرحلة
الخزانة 14 تفتح بالرمز 660218 خلال 3 أيام
رمز باب الشقة 4471 صالح حتى الأحد
رقم دورك 0771 وأمامك 12 شخصا
سجل بكود LAKE20 واحصل على خصم 20% حتى 31/12
قراءة العداد 20916 والمبلغ 551 ريال
راننده رسید. کد سفر 7712 را به راننده بگویید.
کمد ۱۴ با رمز 660218 باز می‌شود، تا ۳ روز تحویل بگیرید
رمز درب آپارتمان 4471 تا یکشنبه معتبر است
نوبت شما 0771، ۱۲ نفر جلوتر
با کد LAKE20 ثبت‌نام کنید و ۲۰٪ تخفیف بگیرید
شماره کنتور 20916 مبلغ قبض 551000 ریال
הנהג הגיע. מסרו לנהג את הקוד 7712 לתחילת הנסיעה.
תא 14 נפתח עם הקוד 660218, איסוף תוך 3 ימים
קוד הדלת לדירה 4471, בתוקף עד יום ראשון
התור שלך 0771, לפניך 12 אנשים
הירשמו עם קוד LAKE20 וקבלו 20% הנחה עד 31/12
מונה מספר 20916, לתשלום 551 ש"ח
ड्राइवर पहुंच गया है। यात्रा शुरू करने के लिए ड्राइवर को 7712 बताएं।
लॉकर 14 कोड 660218 से खुलेगा, 3 दिन में ले जाएं
कमरे के दरवाजे का पिन 4471, रविवार तक मान्य
टोकन A0771, आपसे पहले 12 लोग
LAKE20 कोड से रजिस्टर करें और 20% छूट पाएं
मीटर 20916 का बिल 551 रुपये
【蓝桥证券】您委托买入 600519 已成交100股，成交价1680.00元
【岚山医院】您预约的就诊序号 0214，请于周三 09:30 到 3 诊室，凭身份证取号
【星河云】您的账号已在新设备登录，如非本人操作请尽快修改密码。
您的宽带账号 05923318 已到期，充值后可继续使用
【蓝桥银行】您尾号0918账户于06日16:22完成快捷支付，金额88.00，余额6021.44
【國稅局】退稅通知 案號 20260518，請洽 0800000321
Your Orchard Bank card ending 0918 was used for GBP 42.10 at TESCO. Not you? Call 0800111222.
Your verification is complete. Welcome to Pinewood, member no 90214!
Hi, your class has moved to room 4471 at 1600. See you there
Kiteline: your password was changed on 18 May at 09:14. If this wasn't you, reset it now.
Deposit 20, get 50! Bet code KICK50 at www.lucky.example 18+
Your refund of 42.10 for order 77120934 is on its way
お届け予定 5月18日 14時-16時 伝票番号 771209344471
【ソラ銀行】5/18 42,100円のお引き落としがあります。残高 120,441円
受付番号 0214 診察室3へお越しください
[별빛카드] 홍*동님 42,100원 승인 05/18 16:22 누적 880,100원
[하늘택배] 송장번호 771209344471 오늘 도착 예정
예약번호 90214 5월 18일 오후 2시 방문해 주세요
Карта *0918: покупка 1250р, OZON. Баланс 6021р
Заказ 77120934 собран, ждём вас на ул. Мира 14
Ваша бронь 90214 подтверждена, заезд 18 мая
Compra con tarjeta 0918 por $1,250.00 en AMAZONIA. Si no la reconoces llama al 8005551234
Su cita 90214 es el 18 de mayo a las 16:30
Compra aprovada no cartao final 0918 R$ 1.250,00. Nao reconhece? Ligue 08001234567
Seu protocolo de atendimento: 20260518
Achat 42,10 EUR carte 0918. Pas vous ? Opposition au 0800112233
Votre rendez-vous 90214 est confirmé pour le 18 mai
Zahlung 42,10 EUR mit Karte 0918. Nicht Sie? Sperrnotruf 116116
Ihr Termin 90214 am 18.05. um 16:30 ist bestätigt
Pagamento di 42,10 EUR con carta 0918. Non riconosci? Chiama 800123456
Il tuo ordine 77120934 è confermato
TK 0918 thay doi -1.250.000 VND luc 16:22. So du 6.021.000
Lich hen 90214 cua ban duoc xac nhan ngay 18/05
บัตร 0918 ใช้จ่าย 1,250.00 บาท คงเหลือ 6,021.00
นัดหมายเลขที่ 90214 วันที่ 18 พ.ค. 09.30 น.
Kartu 0918 trx Rp1.250.000 di AMAZONIA. Bkn anda? Hub 1500123
Janji temu 90214 tgl 18/05 pkl 16.30 dikonfirmasi
0918 ile biten kartınızdan 1.250,00 TL harcama yapıldı. Size ait değilse 4440918'i arayın
Randevunuz 90214 onaylandı, 18 Mayıs 16:30
عملية شراء بمبلغ 1,250 ريال بطاقة 0918. لست أنت؟ اتصل 8001234567
تم تأكيد موعدك رقم 90214 يوم 18 مايو
خرید 1,250,000 ریال از کارت 0918 مانده 6,021,000
نوبت شما به شماره 90214 برای ۱۸ مه تایید شد
רכישה בסך 1,250 ש"ח בכרטיס 0918. לא אתה? חייג 1800123456
התור שלך מספר 90214 אושר ל-18 במאי
कार्ड 0918 से रु 1,250 खर्च हुए। आपने नहीं किया? 18001234567 पर कॉल करें
आपकी अपॉइंटमेंट 90214 की पुष्टि हो गई है
【浪花音乐】恭喜获得会员兑换码 K2Q9XA77，登录App-我的-兑换使用，有效期30天
【晨光物流】收货验证码4471，请签收时告知配送员
您的訂房確認碼 K2Q9XA，入住時請出示
Thornbury Library: locker code 4471 for your holds, valid till Friday
Activate your free trial! Use code TRY30 at signup. Reply STOP to opt out
Delivery OTP 4471: share with courier only on delivery. - Pixely Mart
ご登録の会員番号は 77120934 です。ログインはマイページから
[들꽃] 픽업 인증번호 4471 을 매장 직원에게 보여주세요
Код для получения посылки в пункте: 4471. Покажите сотруднику
Пароль от Wi-Fi: 66021877, действует до выезда
Código para recoger tu pedido: 4471, muéstralo en tienda
Código de entrega 4471: informe ao entregador somente ao receber
Code de remise 4471 à donner au livreur à la réception
Übergabecode 4471 dem Zusteller nennen
Codice consegna 4471 da comunicare al corriere
Ma nhan hang 4471, chi doc cho shipper khi da nhan du hang
รหัสรับของ 4471 แจ้งไรเดอร์เมื่อได้รับของแล้ว
Kode serah terima 4471, tunjukkan ke kurir saat paket sampai
Teslimat onay kodu 4471, kuryeye teslimatta söyleyin
رمز استلام الطرد 4471 أعطه للمندوب عند التسليم
کد تحویل مرسوله 4471 را هنگام دریافت به پیک بدهید
קוד מסירה 4471, למסור לשליח בעת קבלת החבילה
डिलीवरी ओटीपी 4471, पार्सल मिलने पर ही एजेंट को बताएं
""".strip().split("\n")


@pytest.mark.parametrize("text", CODES)
def test_cues_together_make_a_code(text: str) -> None:
    text = text.replace("\\n", "\n")
    verdict = recognise(REGISTRY, text, sender="Example")
    assert verdict.otp, verdict
    assert verdict.code_span is not None
    assert len(text[slice(*verdict.code_span)].replace("-", "").replace(" ", "")) >= 4


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_cues_of_other_numbers_make_none(text: str) -> None:
    verdict = recognise(REGISTRY, text, sender="Example")
    assert not verdict.otp, verdict
