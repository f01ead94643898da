/**
 * Mail hosts that anyone can get an address at. An address there, or at a host below one of them (`uk.yahoo.com`,
 * `me.fastmail.com`), says nothing about a company. Hosts that only hand out addresses for a few minutes are listed too.
 */
const hosts = `
gmail.com googlemail.com
yahoo.com yahoo.co.uk yahoo.co.in yahoo.co.jp yahoo.co.id yahoo.co.kr yahoo.co.nz yahoo.co.th yahoo.co.za yahoo.com.ar
yahoo.com.au yahoo.com.br yahoo.com.cn yahoo.com.co yahoo.com.hk yahoo.com.mx yahoo.com.my yahoo.com.pe yahoo.com.ph
yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn yahoo.at yahoo.be yahoo.ca yahoo.cz yahoo.de yahoo.dk yahoo.es
yahoo.fi yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro yahoo.se
ymail.com rocketmail.com myyahoo.com
hotmail.com hotmail.co.uk hotmail.co.jp hotmail.com.ar hotmail.com.br hotmail.com.tr hotmail.be hotmail.ca hotmail.de
hotmail.es hotmail.fr hotmail.it hotmail.nl hotmail.se
outlook.com outlook.co.id outlook.com.ar outlook.com.au outlook.com.br outlook.at outlook.be outlook.cl outlook.cz
outlook.de outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it outlook.jp outlook.kr outlook.pt
outlook.sa outlook.sg
live.com live.co.uk live.com.ar live.com.au live.com.mx live.com.pt live.be live.ca live.cl live.cn live.de live.dk
live.fi live.fr live.ie live.in live.it live.jp live.nl live.no live.se
msn.com passport.com windowslive.com
icloud.com me.com mac.com
aol.com aol.co.uk aol.de aol.fr aol.it aim.com
proton.me protonmail.com protonmail.ch pm.me
gmx.com gmx.net gmx.de gmx.at gmx.ch gmx.us gmx.co.uk gmx.fr gmx.es gmx.it web.de t-online.de freenet.de arcor.de
mail.com email.com usa.com consultant.com engineer.com europe.com post.com dr.com myself.com
zoho.com zohomail.com zohomail.eu zohomail.in
yandex.com yandex.ru yandex.by yandex.kz yandex.ua ya.ru mail.ru bk.ru inbox.ru list.ru internet.ru rambler.ru
fastmail.com fastmail.fm fastmail.net hey.com hushmail.com hush.com
tutanota.com tutanota.de tuta.com tuta.io tutamail.com mailfence.com posteo.de posteo.net mailbox.org disroot.org riseup.net
startmail.com runbox.com kolabnow.com inbox.com inbox.lv lycos.com excite.com juno.com netzero.net bigfoot.com
qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn 21cn.com aliyun.com tom.com
naver.com daum.net hanmail.net nate.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp
rediffmail.com indiatimes.com sify.com
orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr
libero.it virgilio.it tiscali.it alice.it tin.it inwind.it
bluewin.ch seznam.cz centrum.cz wp.pl o2.pl onet.pl interia.pl op.pl poczta.fm abv.bg mail.bg freemail.hu citromail.hu
ukr.net i.ua meta.ua bigmir.net
comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net optonline.net
btinternet.com btopenworld.com blueyonder.co.uk ntlworld.com sky.com talktalk.net virginmedia.com
rogers.com shaw.ca sympatico.ca bigpond.com bigpond.net.au optusnet.com.au xtra.co.nz
uol.com.br bol.com.br terra.com.br ig.com.br globo.com
telenet.be skynet.be ziggo.nl kpnmail.nl planet.nl home.nl
mailinator.com guerrillamail.com guerrillamail.net sharklasers.com 10minutemail.com temp-mail.org tempmail.com
yopmail.com yopmail.fr throwawaymail.com trashmail.com getnada.com maildrop.cc dispostable.com fakeinbox.com
mintemail.com moakt.com mohmal.com emailondeck.com discard.email spamgourmet.com
`

export const freeMailDomains: ReadonlySet<string> = new Set(hosts.split(/\s+/).filter((host) => host !== ''))
