"""Builders that test_naming.py shares with other tests."""

from __future__ import annotations

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
【建行】您正在修改预留手机号,验证码883106,3分钟内有效,请勿告诉他人。
【宁波市民卡】办事密码 40918,用于本次养老资格认证,请在页面录入
551-208(盒马)换绑设备用,勿外泄
【新东方】家长您好,孩子的选课确认请在小程序输入 6610
【币安】提币验证:地址0x7a…e91,数量 0.52 BTC,验证码 904 117
【自如】电子租约签署,您的签约验证字符 K7P2QX
【國泰世華】簡訊動態密碼 331076,用於新增約定帳號,逾時失效
您的健保快易通裝置綁定碼為 20917,請於10分鐘內完成
884210 蝦皮登入用,別給任何人看
【房東管家】線上簽約身分確認,請輸入 4471-8820
【ゆめ銀行】カードローンのお申込み確認:4桁の番号 4471 をご入力下さい
保育園アプリ「こども日記」本人確認用 660218 (10分有効)
X7K-2QP マッチングアプリ「ユイ」の電話番号確認です
ビット取引所:出金先アドレス追加の承認番号は 204 918 です。他人に見せないで下さい
[카카오뱅크] 해외송금 추가인증 660218 직원도 묻지 않습니다
유치원 알림장 앱 학부모 인증 4471 입력해 주세요
[업비트] 출금 주소 등록: 771-204 를 3분 내 입력
전세계약 전자서명 본인확인값은 20917 입니다
Parentmail - to link your child's record at Oak Primary, enter PX7-2QK within 24 hrs
Your NHS login: type 904117 on the screen we showed you
Kraken withdrawal of 0.52 BTC to bc1q...9f needs your OK: 771 204
Tenancy e-signature for Flat 3B. Signing code KX72QP, expires midnight.
Aviva: we need to check it's you. Your reference for this call is private: passcode 20917
771204 - Epic Games sign in. Wasn't you? Change your password.
Альфа: добавление получателя ИВАН П. Цифры для подтверждения 660218
771-204 вход в Мамба, никому не давайте
ЕМИАС: для записи к врачу онлайн подтвердите номер: 9041
BBVA: alta de nuevo beneficiario J. PEREZ. Escribe 660218 en la app para seguir.
Colegio San Blas: vincule a su hijo con el código PX72QK antes de 24 h
771-204 para entrar a Badoo. No la pases a nadie
Mi Salud: valida tu identidad con 9041
Bradesco: inclusão de favorecido. Digite 660218 no app p/ continuar
771-204: login Tinder. Se não foi você, ignore
Meu SUS: comprove seu telefone com 9041
BNP: ajout du bénéficiaire J. MARTIN. Indiquez 660218 dans l'appli pour continuer
Pronote : rattachez votre enfant avec PX72QK sous 24h
771-204 pour vous connecter à Meetic. À garder pour vous
Ameli : prouvez que ce numéro est le vôtre avec 9041
Sparkasse: Neuer Empfänger J. MEIER. Geben Sie 660218 in der App ein
Kita-App: Kind verknüpfen mit PX72QK, 24 Std. gültig
771-204 für dein Login bei Lovoo, bitte geheim halten
TK: Weisen Sie Ihre Nummer nach: 9041
Intesa: nuovo beneficiario M. ROSSI. Digita 660218 nell'app per continuare
Registro elettronico: collega tuo figlio con PX72QK entro 24 ore
771-204 per entrare su Meetic, tienilo per te
Fascicolo Sanitario: dimostra che il numero è tuo con 9041
Vietcombank: them nguoi thu huong NGUYEN VAN A. Nhap 660218 tren app de tiep tuc
vnEdu: lien ket hoc sinh bang ma PX72QK trong 24h
771-204 de vao Tinder. Dung dua ai
Y tế số: xác minh số điện thoại bằng 9041
กสิกร: เพิ่มบัญชีผู้รับโอน นาย ก. กรอก 660218 ในแอปเพื่อดำเนินการต่อ
แอปโรงเรียน: ผูกบัญชีผู้ปกครองด้วย PX72QK ภายใน 24 ชม.
771-204 เข้า Tinder ห้ามให้ใคร
หมอพร้อม: ยืนยันเบอร์ด้วย 9041
BCA: tambah penerima a.n. BUDI. Masukkan 660218 di aplikasi utk lanjut
Sekolahku: hubungkan akun anak dengan PX72QK dlm 24 jam
771-204 buat masuk Tantan, jgn dikasih ke siapa2
SatuSehat: buktikan nomor ini milikmu dgn 9041
Akbank: yeni alıcı A. YILMAZ. Devam etmek için uygulamaya 660218 girin
e-Okul: çocuğunuzu PX72QK ile eşleştirin, 24 saat geçerli
771-204 Tinder girişi için, kimseye vermeyin
e-Nabız: numaranızı 9041 ile doğrulayın
الراجحي: إضافة مستفيد جديد. أدخل 660218 في التطبيق للمتابعة
مدرستي: اربط ابنك بالرمز PX72QK خلال 24 ساعة
771-204 للدخول إلى تندر، لا تعطه لأحد
صحتي: أثبت أن الرقم لك باستخدام 9041
ملت: افزودن گیرنده جدید. 660218 را در برنامه وارد کنید
شاد: اتصال فرزند با PX72QK تا ۲۴ ساعت
771-204 برای ورود به همدم، به کسی ندهید
سلامت من: شماره خود را با 9041 تایید کنید
לאומי: הוספת מוטב חדש. יש להזין 660218 באפליקציה להמשך
משוב: קישור תלמיד להורה עם PX72QK תוך 24 שעות
771-204 לכניסה לטינדר, לא לתת לאף אחד
כללית: הוכיחו שהמספר שלכם באמצעות 9041
एसबीआई: नया लाभार्थी जोड़ना। आगे बढ़ने के लिए ऐप में 660218 डालें
771-204 टिंडर में लॉगिन हेतु, किसी को न दें
【滴滴出行】8834(登录验证码),15分钟内有效,请勿泄露给他人
【平安保险】尊敬的客户,您正在办理保单P2088****贷款业务,贷款金额20000.00元,验证码:730-114,如有疑问请拨95511。
【美团】您的账户在北京异地登录,若为本人操作,请输入动态码5520完成验证。
【世纪佳缘】手机认证:请把 338201 填到认证框
【中華電信】您申請換發 eSIM,驗證碼 558201,請於 5 分鐘內輸入。若非本人請撥 123。
【LINE Pay】4471 為您的付款驗證碼,請勿提供他人
【PayPay】認証番号:4471 この番号は誰にも教えないでください。10分間有効です
889-201 は Steam のログイン認証コードです
税務署e-Tax:利用者識別の仮パスワード H7K2QX9P を入力後、変更してください
[토스] 인증번호 448 201 을 입력하세요. 타인 노출 금지
(NH농협) 신규기기 등록 승인번호 660218 입니다. 절대 타인에게 알려주지 마세요
4471은(는) Instagram 코드입니다. 공유하지 마세요.
Monzo: 448 201 to confirm your GBP 42.10 payment to Tesco. Never tell anyone, even us.
Your DWP sign-in: the code we've texted is H7K2QX. It works for 15 minutes.
Code: 4471. Enter it to confirm your Deliveroo account.
Ticketmaster: 448201 is your one-time code to transfer 2 tickets.
Revolut: don't share this code. 448-201. Use it to add your card to Apple Pay.
DHL: to change your delivery date sign in with code 448201
Тинькофф: 448-201 код для входа. Никому не говорите, даже сотруднику банка
Госуслуги: код 4471 для подписания заявления. Мошенники могут просить его
Яндекс Go. Ваш код: 4471
Santander: 448201 es tu clave para confirmar el pago de 42,10 EUR en Mercadona
Rappi: tu código es 4471. Nunca lo compartas, ni con el repartidor
SAT: su contraseña de un solo uso es H7K2QX, vigente 10 minutos
Nubank: 448 201 confirma sua compra de R$ 42,10. Não passe a ninguém
iFood: seu código de acesso é 4471. Não informe ao entregador
CTT: introduza 448201 para concluir o registo na app
Crédit Agricole : 448 201 pour valider votre achat de 42,10 EUR. Ne le donnez à personne
Vinted : votre code est 4471
Impots.gouv : code H7K2QX pour créer votre espace, valable 15 min
ING: 448 201 zum Freigeben der Zahlung von 42,10 EUR. Geben Sie den Code nie weiter
Lieferando: dein Code ist 4471
Elster: Einmalcode H7K2QX für Ihren Login
Unicredit: 448 201 per confermare il pagamento di 42,10 EUR. Non darlo a nessuno
Glovo: il tuo codice è 4471
Techcombank: 448 201 de xac nhan thanh toan 421,000 VND. Khong cung cap cho ai
Shopee: ma cua ban la 4471
SCB: 448 201 เพื่อยืนยันการชำระ 421 บาท ห้ามบอกใคร
Shopee: รหัสของคุณคือ 4471
Mandiri: 448 201 utk konfirmasi pembayaran Rp421.000. Jgn beri ke siapapun
Tokopedia: kode kamu 4471
Garanti: 448 201 ile 421,00 TL ödemenizi onaylayın. Kimseye vermeyin
Trendyol: kodunuz 4471
الأهلي: 448201 لتأكيد دفع 421 ريال. لا تعطه لأحد
نون: رمزك 4471
سامان: ۴۴۸۲۰۱ رمز تایید پرداخت ۴۲۱۰۰۰ ریال
دیجی‌کالا: کد شما ۴۴۷۱
פועלים: 448201 לאישור תשלום 421 ש"ח. אין למסור
וולט: הקוד שלך 4471
आईसीआईसीआई: 448201 से रु 421 का भुगतान स्वीकृत करें। किसी को न बताएं
फ्लिपकार्ट: आपका कोड 4471
【中国移动】您正在办理套餐变更业务,二次确认随机码 660218,30分钟内有效
您本次提取公积金的短信校验码是 3391【杭州公积金】
MyGov: H7K2QX is your sign-in code. It expires at 10:42.
Lloyds Bank: To set up your new payee use code 66 02 18 in the app.
Your council tax account: enter 4471 to finish signing up
マイナポータル:ログイン用ワンタイムコード 448201
[정부24] 민원 신청 본인인증 448201 3분 이내 입력
ВТБ: 448201 для перевода 4 210 р. Если не вы - 1000
Movistar: tu clave para Mi Movistar es 448201
Vivo: use 448201 para entrar no app. Válido por 5 min
Orange : 448201 pour activer votre eSIM. Valable 10 min
Telekom: 448201 zum Aktivieren Ihrer eSIM, 10 Min. gültig
TIM: inserisci 448201 per attivare la eSIM
Viettel: nhap 448201 de kich hoat eSIM
AIS: กรอก 448201 เพื่อเปิดใช้ eSIM
Telkomsel: masukkan 448201 utk aktivasi eSIM
Turkcell: eSIM aktivasyonu için 448201 girin
STC: أدخل 448201 لتفعيل الشريحة
همراه اول: برای فعالسازی 448201 را وارد کنید
פלאפון: הזינו 448201 להפעלת ה-eSIM
जियो: ईसिम सक्रिय करने के लिए 448201 दर्ज करें
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
【菜鸟】您有包裹到西门驿站,凭 7-3-2045 取件,别忘带身份证
【顺丰】派件员李师傅已出发,签收时请提供确认码 7718
老王 仓库门锁改成 660218 了 别告诉小张
【和睦家】您预约的检查编号 204915,请空腹,凭此号取报告
【王者荣耀】礼包兑换码 HJ88K2QX 有效期至12月31日,游戏内兑换
【黑貓】配達中,收件請出示取貨代碼 7712
【長庚】看診號 88,掛號序號 20917,請提前報到
欸我家wifi改成 88204471 記得跟媽說
【foodpanda】外送夥伴到了,請告知訂單末四碼 4471
佐川急便です。再配達受付番号 20491、本日18時以降に伺います
大家さんへ 新しい鍵の番号は 4471 です。よろしく
「モンスト」シリアルコード HJ88K2QX をゲーム内で入力すると限定アイテム
○○歯科 ご予約 5/18 10:30 診察券 20917 をお持ちください
[CJ대한통운] 기사 도착 예정 14~16시, 문앞 보관 희망시 4471 회신
엄마 현관 비번 4471* 로 바꿨어 까먹지마
[서울병원] 접수 20917 번, 3층 12번 진료실
[던전앤파이터] 쿠폰 HJ88K2QX 12/31까지 등록하세요
Evri: your courier Dave is 3 stops away. Safe place PIN 4471, or show your QR
Hi its Tom, back gate is 4471 now, key under the pot
St Mary's: appt ref 20917 on 18 May 10:30, reply 1 to confirm or 2 to cancel
Roblox gift card HJ88K2QX redeemed successfully
Uber Eats: share 4471 with your delivery person when they hand you the order
Booking confirmed! Conf no. 20917441, check in from 3pm. Manage: bkng.example/x
was it 4471 or 4417 for the login? cant get in
Your landlord has sent rent invoice 20917, 950.00 GBP due 1 June
СДЭК: заказ 204918 прибыл, код для выдачи 4471
Мам, у подъезда теперь 4471к, а у шлагбаума 2209
Поликлиника 12: запись 204917 к терапевту 18.05 в 10:30
Танки: бонус-код HJ88K2QX даёт 3 дня према
Seur: tu repartidor llega en 10 min, dale el 4471 al recibir
Ma, la clave del portón es 4471 ahora, avisale a la abuela
Clinica Sur: turno nro 20917 el 18/05 10:30 con Dra. Paz
Free Fire: canjea HJ88K2QX antes del 31/12 y recibe diamantes
Loggi: entregador chegando, passe o número 4471 pra ele na hora
mãe a senha do cofre é 4471 não conta pro pai
Clínica Vida: consulta 20917 dia 18/05 às 10h30, chegue cedo
Free Fire: resgate HJ88K2QX até 31/12
Chronopost : votre livreur arrive, annoncez-lui 4471
maman le code du portail c'est 4471 maintenant bisous
Clinique Sud : RDV 20917 le 18/05 à 10h30
Fortnite : activez HJ88K2QX avant le 31/12 pour un skin offert
DPD: Fahrer gleich da, Abstell-PIN 4471 bereithalten
Mama, das Garagentor hat jetzt 4471, Kuss
Praxis Dr. Lang: Ihr Termin Nr. 20917 am 18.05. um 10:30
Clash: Mit HJ88K2QX bekommst du bis 31.12. 100 Juwelen
GLS: il corriere sta arrivando, digli 4471
mamma il cancello ora è 4471 baci
Studio Bianchi: appuntamento 20917 il 18/05 ore 10:30
Clash: riscatta HJ88K2QX entro il 31/12
GHTK: shipper sap toi, doc so 4471 de nhan hang
me oi cong nha doi thanh 4471 roi nhe
PK Hoa Sen: lich kham 20917 ngay 18/05 luc 10h30
Lien Quan: nhap giftcode HJ88K2QX truoc 31/12
แฟลช: ไรเดอร์ใกล้ถึง แจ้งเลข 4471 ตอนรับของ
แม่ รหัสประตูรั้วเปลี่ยนเป็น 4471 แล้วนะ
คลินิกสุขใจ: นัด 20917 วันที่ 18 พ.ค. 10.30 น.
RoV: เติมโค้ด HJ88K2QX ก่อน 31/12
JNE: kurir dekat, sebutkan 4471 saat terima
bu gembok pagar skrg 4471 ya
Klinik Sehat: janji 20917 tgl 18/05 jam 10.30
Mobile Legends: tukar HJ88K2QX sblm 31/12
Yurtiçi: kurye yolda, teslimde 4471 deyin
anne bahçe kapısı 4471 oldu haberin olsun
Özel Can Hast.: randevu 20917, 18.05 saat 10:30
PUBG: HJ88K2QX kullan, 31/12'ye dek 60 UC
أرامكس: المندوب قريب، قل له 4471 عند الاستلام
ماما باب الحوش صار 4471
عيادات الشفاء: موعدك 20917 يوم 18/05 الساعة 10:30
ببجي: استبدل HJ88K2QX قبل 31/12
تیپاکس: پیک نزدیک است، هنگام تحویل 4471 را بگویید
مامان در حیاط شد 4471 یادت نره
درمانگاه نور: نوبت 20917 روز 18/05 ساعت 10:30
کلش: با HJ88K2QX تا 31/12 جم رایگان
צ'יטה: השליח בדרך, אמרו לו 4471 במסירה
אמא השער עכשיו 4471 תזכרי
מרפאת אור: תור 20917 ב-18/05 בשעה 10:30
בראול: ממשו HJ88K2QX עד 31/12
डेल्हीवरी: एजेंट पास है, सामान लेते समय 4471 बोलें
मम्मी गेट का ताला अब 4471 है
सिटी क्लिनिक: अपॉइंटमेंट 20917, 18/05 को 10:30
फ्री फायर: HJ88K2QX रिडीम करें 31/12 तक
【美团】骑手王师傅(尾号3318)已取餐,预计12:40送达,取餐密码0912
【链家】您预约的看房已确认,房源编号 10477120,经纪人电话 13800138000
【国家电网】户号 3301882045 电费余额不足 20.00 元,请及时缴费
【工商银行】提示:近期有人冒充银行发送验证码链接,官方短信号为95588,请勿点击
【郵局】掛號郵件 204918 招領中,憑身分證領取
【7-11】您的包裹已到 188201 門市,取件末三碼 204,請於7日內取貨
ヤマト運輸:お荷物(4471-8820-1192)を本日お届けします。受取時に暗証4471
【UberEats】配達員に「4471」とお伝えください
明日の会議、zoomの番号が 882 0447 118 でパスが 204918 です
[배달의민족] 라이더가 도착했습니다. 수령번호 4471
[우체국] 등기 20491 배달 예정, 부재시 무인함 비밀번호 4471
팀장님 회의실 도어락 448201 이에요
DHL: parcel 7718820 held at locker 14. Open with 448201 until Friday.
Reminder: table for 4 at 19:30, booking code KX72QP. Reply C to cancel.
can you send me the code? the bank texted you 6 digits
HSBC will never ask for your one-time passcode. If asked, call 03457 404 404 or text 7726.
Ozon: курьер в пути, назовите ему код 4471
Пин от карты магнита 4471 кидай продукты купи
Ваша запись №448201 на 18.05. Отмена по тел. 84951234567
Rappi: tu repartidor llegó. Código de entrega 4471
La combinación del candado es 4471, no la pierdas
Su reserva KX72QP en Hotel Sol está confirmada del 18 al 20 de mayo
iFood: entregador chegou, diga o código 4471
Reserva KX72QP confirmada, check-in 18/05 às 14h
amor a senha do portão mudou pra 4471
Vinted : colis arrivé, code retrait 4471 en relais
Doctolib: RDV confirmé 18/05 10h30, réf KX72QP
le digicode c'est 4471B, 3e étage
Hermes: Sendung im Shop, Abholcode 4471
Fahrradschloss ist 4471, bring es bitte mit
Tisch für 4 bestätigt, Code KX72QP, 19:30
Glovo: il rider è arrivato, codice consegna 4471
il lucchetto è 4471
Shopee: shipper dang giao, ma nhan hang 4471
wifi nha em la 44718820 nha
Shopee: ไรเดอร์ถึงแล้ว รหัสรับของ 4471
รหัสไวไฟบ้าน 44718820 จ้า
Tokopedia: kurir sampai, kode terima 4471
wifi kosan 44718820 ya
Trendyol: kurye kapıda, teslimat kodu 4471
evin wifi şifresi 44718820
نون: المندوب وصل، رمز الاستلام 4471
باسورد الواي فاي 44718820
دیجی‌کالا: پیک رسید، کد تحویل ۴۴۷۱
رمز وای‌فای خونه ۴۴۷۱۸۸۲۰
וולט: השליח הגיע, קוד מסירה 4471
הסיסמה של הוויפי 44718820
फ्लिपकार्ट: डिलीवरी पार्टनर आ गया, कोड 4471 बताएं
घर का वाईफाई पासवर्ड 44718820
【丰巢】凭取件码『48201937』至小区3号柜取件,超时收费
【海底捞】您前面还有 5 桌,排号 A0912,可在线查询
Royal Mail: card 20917 left. Redeliver to your door: quote 448201
Gym class booked! Studio 3, locker 18, door 4471
ok so wifi is Sunny-Lake and pass is 44718820
【郵便局】ご不在通知 受付 20491、24時間受付は 0120-000-000
[GS25] 택배 접수번호 448201 내일 도착
Почта: РПО 44820119 в отделении 101000, код 4471
Correos: aviso 20917, recógelo con el código 4471 en oficina
Correios: objeto aguardando, senha de retirada 4471
Mondial Relay : code 4471 pour retirer votre colis
DHL Packstation: Abholung mit Code 4471 bis 20.05.
Poste: pacco in giacenza, codice ritiro 4471
Viettel Post: don hang VP4471, ma nhan 448201
ไปรษณีย์ไทย: พัสดุ 448201 รอรับที่สาขา
SiCepat: resi 44820119, kode terima 4471
PTT: gönderiniz şubede, teslim kodu 4471
سمسا: رمز الاستلام 4471 في الفرع
پست: کد تحویل مرسوله 4471
דואר ישראל: קוד איסוף 4471 בסניף
इंडिया पोस्ट: पार्सल पिकअप पिन 4471
""".strip().split("\n")
