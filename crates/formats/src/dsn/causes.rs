//! The words by which servers say why. Data only; [`super::reason`] says which words count when.
//!
//! Phrases are in lower case with white space folded and parted by `|`; `*` stands for a few words or none between two pieces.
//! They are what the servers themselves print: Sendmail, Postfix, Exim, qmail and its patches, Courier, OpenSMTPD,
//! Domino and Notes, Exchange, and the published error lists of Google, Microsoft, Yahoo, Apple, Facebook, Orange,
//! Mimecast and Tencent. Which reason a phrase stands for is sisimai's vocabulary (libsisimai.org, "Bounce reasons").

/// How far the pieces of a phrase may be apart, in bytes.
const GAP: usize = 160;

/// Reason and phrases.
type Row = (&'static str, &'static str);

/// Whether one of the phrases of a reason stands in a text (lower case, white space folded).
pub(super) fn says(reason: &str, text: &str) -> bool {
    EXACT.iter().any(|row| row.0 == reason && matches(row, text))
}

/// Whether one of a row's phrases stands in a text.
pub(super) fn matches(row: &Row, text: &str) -> bool {
    row.1.split('|').any(|phrase| stands_in(phrase, text))
}

/// The pieces of the phrase stand in the text in their order, each near the one before it.
fn stands_in(phrase: &str, text: &str) -> bool {
    let Some((first, others)) = phrase.split_once('*') else { return text.contains(phrase) };
    let follows = |(at, _): (usize, &str)| {
        let mut rest = &text[at + first.len()..];
        others.split('*').all(|piece| match rest.find(piece) {
            Some(gap) if gap <= GAP => {
                rest = &rest[gap + piece.len()..];
                true
            }
            _ => false,
        })
    };
    text.match_indices(first).take(4).any(follows)
}

/// Words that name one reason whatever else is said: labels of single servers and services. The first column is the
/// enhanced status code they come with, or its head; empty for any.
pub(super) const LABELS: &[(&str, &str, &str)] = &[
    // DragonFly's mail agent: the name of the host does not resolve.
    ("", "hostunknown", "dns lookup failure: host*not found"),
    // Null MX (RFC 7505), as Exim, Postfix, Google and notqmail say it.
    (
        "",
        "notaccept",
        "null mx|nullmx|indicated no smtp service|couldn't find a mail exchanger or ip address",
    ),
    // qmail gives this up only after its whole queue time: nobody has known the host for days.
    ("", "hostunknown", "couldn't find any host by that name|couldn't find any host named"),
    // Session refused before any address was named: Exim, qmail.
    (
        "",
        "blocked",
        "my name was rejected|server after initial connection|server after helo|server after ehlo",
    ),
    // KDDI (au.com, ezweb.ne.jp): with the address the user is unknown, without it the user's filter spoke.
    ("", "filtered", "550 : user unknown"),
    // GoDaddy answers 5.1.1 to a sender in a hurry.
    ("", "speeding", "too many recipients this hour"),
    // Domino and Notes: the directory answered, no SMTP reply does.
    ("", "systemerror", "several matches found in"),
    (
        "",
        "userunknown",
        "not listed in domino directory|not listed in public name|not listed in directory|\
         dans l'annuaire domino|en el directorio de domino|domino ディレクトリには見つかりません|ディレクトリのリストにありません|\
         nicht im domino-verzeichnis|nicht in domino directory|nell'elenco indirizzi domino|\
         no diretório do domino",
    ),
    ("", "filtered", "cannot route mail to user"),
    ("", "networkerror", "exceeded maximum hop count|maximum hop count exceeded"),
    // Exchange: the label behind the code (NDR diagnostic information).
    ("", "userunknown", "recipnotfound|recipientnotfound|recipient notfound"),
    ("", "toomanyconn", "resolver.adr.reciplimit"),
    ("", "systemerror", "resolver.adr.badprimary|resolver.adr.invalidinsmtp|resolver.adr.ambiguous"),
    ("", "securityerror", "resolver.rst.authrequired"),
    ("", "exceedlimit", "resolver.rst.recipsizelimit|resolver.rst.sendsizelimit"),
    ("", "expired", "queue.expired"),
    ("", "hostunknown", "smtpsend.dns.nonexistentdomain"),
    ("", "networkerror", "smtpsend.dns.mxloopback"),
    // Exchange 2003 and 5.5: MSEXCH:IMS with a number.
    ("", "userunknown", "000c05a6"),
    ("", "filtered", "000c0595"),
    ("", "systemerror", "00010256|000d06b5"),
    ("", "networkerror", "00120270"),
    ("", "contenterror", "00050311|000502cc"),
    ("", "securityerror", "000b0981"),
    // Exchange Online: "Email non-delivery reports and SMTP errors".
    ("5.4.1", "userunknown", "recipient address rejected: access denied"),
    ("5.5.0", "userunknown", "requested action not taken: mailbox unavailable"),
    ("5.1.10", "userunknown", "recipient not found"),
    ("5.1.351", "userunknown", "unknown recipient or mailbox unavailable"),
    (
        "5.1.",
        "userunknown",
        "recipient address reserved by rfc 2606|addresses in single label domains not accepted",
    ),
    ("5.7.504", "suspend", "access denied"),
    ("5.7.505", "suspend", "access denied"),
    ("5.7.515", "authfailure", "authentication level"),
    ("4.4.312", "networkerror", "dns query failed"),
    ("5.4.312", "networkerror", "dns query failed"),
    ("", "expired", "message expired"),
    ("5.7.509", "authfailure", "dmarc"),
    ("5.7.512", "rejected", "rfc 5322"),
    ("5.7.51", "blocked", "access denied|does not accept email over ipv6|block list"),
    ("5.7.50", "blocked", "bad helo|rejected by recipient"),
    ("5.7.50", "rejected", "spam abuse detected|banned sender"),
    ("5.7.508", "speeding", "exceeded permitted limits"),
    ("5.7.6", "norelaying", "relay access denied"),
    ("5.7.6", "blocked", "banned sending ip"),
    ("5.7.7", "rejected", "unregistered domain"),
    ("5.7.7", "speeding", "has exceeded threshold|traffic not accepted from this ip"),
    ("4.7.", "badreputation", "rate limited due to ip reputation"),
    ("4.7.", "blocked", "access denied, please try again later"),
    (
        "5.7.1",
        "rejected",
        "resolver.rst.notauthorized|not in allowed-senders list|sender not authenticated|\
         sender was not authenticated|delivery not authorized, message refused",
    ),
    ("5.7.57", "securityerror", "not authenticated to send anonymous mail"),
    ("5.1.90", "speeding", "daily limit"),
    ("5.2.12", "speeding", "message receive limit"),
    ("5.2.2", "speeding", "submission quota exceeded"),
    ("5.2.1", "suspend", "mailbox cannot be accessed"),
    ("4.3.2", "speeding", "recipient thread limit exceeded"),
    ("", "notaccept", "has no mail-enabled subscriptions|missing or bad storedriver mdb"),
    // Google: "Gmail SMTP errors and codes".
    (
        "",
        "suspend",
        "account that you tried to reach is disabled|account that you tried to reach is inactive",
    ),
    (
        "",
        "speeding",
        "that prevents additional messages from being delivered|is receiving mail too quickly|\
         sending limit exceeded|sending quota exceeded|relay limit exceeded",
    ),
    ("", "badreputation", "very low reputation of the sending"),
    (
        "",
        "authfailure",
        "authenticate with either spf or dkim|authenticate with spf|authenticate with dkim|\
         authenticate their email with",
    ),
    ("", "blocked", "an unusual rate of"),
    ("", "userunknown", "because the address couldn't be found"),
    ("", "rejected", "you're sending this from a different address or alias"),
    // Google Groups has these words in every language; the link is the same in all.
    ("", "rejected", "groups.google.com/support"),
    // Google looks up the recipient's domain and says what came back.
    ("4", "networkerror", "responded with code nxdomain|domain name not found"),
    (
        "",
        "hostunknown",
        "responded with code nxdomain|domain name not found|server returned answer with no data",
    ),
    ("5.1.2", "hostunknown", "had no relevant answers"),
    ("5.4.4", "hostunknown", "had no relevant answers"),
    ("", "networkerror", "had no relevant answers"),
    // Yahoo, AOL, Verizon Media.
    ("", "userunknown", "dd this user doesn't have a*account|doesn't have a yahoo.com account"),
    // Apple iCloud.
    ("", "userunknown", "inactive email address|unknown or illegal alias"),
    ("", "hasmoved", "recipient no longer on server"),
    // Facebook: postmaster page, codes of the form RCP-P1.
    ("", "userunknown", "rcp-p1|int-p1|int-p3|int-p4"),
    ("", "filtered", "rcp-p2|rcp-p3"),
    ("", "suspend", "rcp-t4"),
    // IMail Server, and the mobile gateways of Verizon.
    (
        "",
        "userunknown",
        "invalid final delivery userid|unknown user: *@|no valid recipients for this mm|\
         error: invalid user address",
    ),
    ("", "expired", "delivery failed*attempts"),
    // mail.i.ua, MessageLabs, Mimecast, Trend Micro InterScan.
    ("", "userunknown", ".i.ua/err/2/"),
    ("", "suspend", ".i.ua/err/3/"),
    ("", "userunknown", "invalid recipient - http|mailbox not found. http"),
    ("", "userunknown", "542*rejected|interscan*unable to deliver message to <"),
    ("", "rejected", "administrative prohibition envelope blocked|envelope blocked - user"),
    ("", "mailererror", "procmail: couldn't create"),
    // Local delivery: vpopmail, vmailmgr, maildrop, mail.local, Dovecot (words of each program).
    ("", "filtered", "user does not exist, but will deliver to"),
    (
        "",
        "userunknown",
        "vdelivermail:*no mailbox here by that name|vdeliver: invalid or unknown|\
         maildrop: invalid user specified|cannot find system user|user missing home directory|\
         sorry, no mailbox here by that name|mail.local:*unknown user|\
         automatically rejected: mailbox doesn't exist",
    ),
];

/// Words that say the reason plainly. The order of the rows is of no matter.
pub(super) const EXACT: &[Row] = &[
    (
        "mailboxfull",
        "mailbox full|mailbox is full|mail box is full|mail box full|mailbox size limit exceeded|\
         mailfolder is full|quota exceeded|quota exceed|exceeded quota|over quota|overquota|over the quota|\
         over disk quota|over the allowed quota|exceeding its mailbox quota|exceeding their quota|\
         exceeded its disk space|exceeded storage allocation|exceeded the local limit|diskspace quota|\
         disk quota|disc quota|mail quota|mailbox quota|storage quota|quota violation|out of storage|\
         full mailbox|inbox is full|account is full|mailbox has exceeded|mailbox exceeds|\
         user's space has been used up|does not have enough space|not enough disk space|\
         not sufficient disk space|not enough storage space in|no space left on device|\
         452 insufficient disk space|would exceed maximum allowed storage|too many messages on the server|\
         exceeding receiving limits|too much mail data|maildir over|exceeds size limit for mailbox|メールボックスが一杯|\
         boite du destinataire pleine|boîte pleine|postfach ist voll|mailbox voll|casella piena|buzón lleno|\
         mailbox would exceed|user mailbox exceeds|mail file size exceeds|exceeded its quota|reached its quota|\
         specified quota|over its quota",
    ),
    (
        "mesgtoobig",
        "message too big|message file too big|message is too large|max message size|maximum message size|\
         message size exceeds|message length exceeds|exceeds maximum message size|exceeds size limit|\
         line limit exceeded|exceeded maximum inbound message size|exceeded the maximum incoming message size|\
         message too large for this|taille limite du message|size limit exceeded|exceeds my databytes limit|\
         maximum email size exceeded|message size limit|larger than the current system limit",
    ),
    (
        "exceedlimit",
        "message too large|message header size exceeds limit|message exeeded the maximum size the user accepts",
    ),
    (
        "suspend",
        "account is disabled|account has been disabled|account disabled|mailbox disabled|mailbox is disabled|\
         user or domain is disabled|recipient account is blocked|destinataire est bloque|\
         boite du destinataire archivee|archived recipient|mailbox is frozen|mailbox frozen|has been suspended|\
         is currently suspended|user suspended|mailbox currently suspended|been temporarily suspended|\
         account is locked|account locked|temporary locked|temporarily locked|inactive account|\
         account is inactive|account inactive|invalid/inactive user|inactive user|inactive recipient|\
         temporarily inactive|deactivated mailbox|user is terminated|recipient suspend|\
         mailbox unavailable or access denied|this address no longer accepts mail|account expired|\
         administratively disabled|administrativley disabled|administrativly disabled|account is disabled|\
         user disabled|disabled recipient|account is temporarily limited",
    ),
    (
        "hasmoved",
        "has been replaced by|has moved to|user has moved|address changed to|no longer uses this address",
    ),
    (
        "norelaying",
        "relay access denied|relaying denied|relay denied|relay not permitted|relaying not permitted|\
         relay prohibited|not permitted to relay|relaying not allowed|relay not allowed|not allowed to relay|\
         no relaying|do not relay|relaying mail to|unable to relay|not configured to relay|not an open relay|\
         insecure mail relay|as a relay|smtp relay error|email address is not verified|not a gateway|\
         in my list of allowed rcpthost|not local host|not local; please try|we don't handle mail for|\
         specified domain is not allowed|open relay not allowed|open relay is not allowed|\
         invalid credentials for relay",
    ),
    (
        "authfailure",
        "dmarc|spf check|spf record|spf settings|spf validation|spf sender invalid|dkim sender invalid|\
         fails to pass spf|spf fail|failed spf|sender policy framework|unauthenticated email|\
         authentication checks failed|pass authentication checks|spf/dns de votre nom|spf.pobox.com|\
         failing both spf and dkim",
    ),
    (
        "userunknown",
        "user unknown|unknown user|user not known|user is unknown|no such user|no such mailbox|\
         no such recipient|no such person|no such address|unknown recipient|recipient unknown|unknown mailbox|\
         mailbox unknown|address unknown|addresses were unknown|unknown account|unknown local part|\
         unknown e-mail address|unknown email address|user not found|user was not found|user*was not found|\
         recipient not found|recipient*was not found in|mailbox not found|address not found|account not found|\
         no mailbox found|email name is not found|> not found|email address could not be found|\
         address couldn't be found|wasn't found at|couldn't be found|does not exist.|address does not exist|\
         user*does not exist|mailbox*does not exist|recipient*does not exist|account*does not exist|\
         user*doesn't exist|mailbox*doesn't exist|recipient*doesn't exist|account*doesn't exist|n'existe pas|\
         existiert nicht|no existe|non esiste|não existe|не существует|存在しません|不存在|rcpt*does not exist|\
         not exist at|user not exist|recipient not exist|dosn't exist|non existent user|non-existent user|\
         nonexistent user|no existe dicha persona|no existe ese usuario|nessun utente simile|\
         utilisateur inconnu|destinataire invalide|invalid recipient|invalid mailbox|mailbox invalid|\
         invalid user|invalid address|address invalid|invalid email address|bad recipient|bad_recipient|\
         addressee unknown|bad destination mailbox|bad address|unrecognized recipient|no valid recipients|\
         mailbox is inactive|550 mailbox unavailable|not taken: mailbox unavailable|mailbox is unavailable|\
         mailbox unavaiable|mailbox not present|not present in directory|no mailbox here|no mail box|\
         no mailbox by that name|no account by that name|no one by that name|no one at this address|\
         no in name directory|not a known user|not a valid user|not a valid mailbox|not a valid recipient|\
         not a valid address|not a local address|not an active address|is not local|not known at this site|\
         not our customer|no longer valid|no longer available|account unavailable|account closed|\
         account is closed|can't accept user|rejected recipients|recipient address rejected. |\
         recipient address rejected: access denied|recipient address rejected: unknown|\
         recipient address rejected: undeliverable|recipient is not accepted|recipient not ok|\
         5.1.0 address rejected|badrcptto|badrecipientto|not in my validrcptto|\
         envelope recipient has been denied|recipnotfound|user not active|r_dst_bad|unable to find recipient|\
         recipient is not exist|recipient no longer|無効なアドレス|宛先不明|kein solcher benutzer|benutzer unbekannt|\
         unbekannter|empfänger unbekannt|destinatario sconosciuto|final delivery userid|unknown or illegal|\
         is not listed in|there is no one at|does not have an account|this user doesn't have|\
         refuses to accept your mail|cannot find system user|there is no user|has no mailbox|not listed here|\
         unknown virtual user",
    ),
    (
        "filtered",
        "recipient preferences|only accepting mail from|not currently being accepted for this mailbox|\
         restricted sms e-mail|is not accepting any mail|due to user rules|not found recipient account|\
         account is protected by|account protected|refuses to receive this mail|recipient id refuse|\
         user reject|blocked by the recipient|has rejected mail from|this recipient has rejected|\
         cannot route mail to user|permanently deferred|recipient refused",
    ),
    (
        "requireptr",
        "ptr record|dns ptr|reverse dns|rdns|reverse lookup|unverifyable sending ip|unverifiable sending ip|\
         no ptr|cannot find your hostname|cannot find your reverse|cannot resolve your|unresolvable relay host|\
         ip name lookup failed|mismatches client ip|hostname doesn't match|fcrdns|\
         forward dns entry does not point",
    ),
    (
        "notcompliantrfc",
        "duplicate header|rfc 5322 compliant|rfcmessagenoncompliant|headers are not rfc compliant|\
         multiple*header|missing a valid message-id|missing a valid address in the from|\
         multiple addresses in from|rfc 5322 section",
    ),
    (
        "badreputation",
        "ip reputation|poor reputation|bad reputation|low reputation|reputation score|reputation problems|\
         reputation of the sending|unexpected volume or user complaints|[tss04]|[tss09]|senderscore|\
         sender score|sending ip's reputation",
    ),
    (
        "contenterror",
        "header size exceeds maximum permitted|improper use of 8-bit|message header size, or recipient list|\
         mime complexity exceeds|too many received: headers|too many \"received\" headers|invalid mime headers|\
         improperly-formatted binary|malformed mime|media error|content error|mime error",
    ),
    (
        "rejected",
        "sender was rejected|sender rejected|sender address rejected|sender email address rejected|\
         sender denied|sender not allowed|rejected sender|invalid sender|bogus mail from|\
         access denied (in reply to mail from|access denied (sender|administrative prohibition|batv|\
         purported responsible|without a valid sender domain|denied [bouncedeny]|\
         delivery not authorized, message refused|domain of sender|emetteur invalide|empty envelope sender|\
         null sender is not allowed|envelope blocked|no third-party dsns|a valid from:|\
         fully qualified email address required|not a registered gateway user|not owned by user|mx records for|\
         returned mail not accepted|rule imposed mailbox access|sender verify failed|sender not pre-approved|\
         sender domain is empty|sender is in my black list|sender is spammer|unroutable sender|\
         not allowed to post|not have permission to post|permission to post|does not have permission|\
         may not have permission|group you tried to contact|no tienes los permisos|não tem permissão|權限|権限がない|\
         غير مصرح لك|沒有在此群組|nicht zulässig|server does not accept mail from|not accept mail from|\
         your email address has been blacklisted|sender address has been blacklisted|bounced address|\
         due to unresolvable rfc.5321 domain|will be permanently deferred|list of senders to accept mail from|\
         address rejected: sender|from address",
    ),
    (
        "networkerror",
        "hop count exceeded|too many hops|too many received|mail loop|routing loop|mail forwarding loop|\
         message looping|maximum forwarding|loops back to myself|host name lookup failure|\
         host not found, try again|malformed name server reply|malformed or unexpected name server|\
         could not connect and send|no route to host|host is unreachable|network is unreachable|\
         unrouteable mail domain|unable to resolve route|no relevant answers|dns lookup failed|\
         dns server failure|dns query failed|temporary failure in mx lookup|no valid route to|network error|\
         tcp error|loop detected|wasn't able to establish an smtp connection|\
         best-preference mx|address family mismatch|\
         all routes to destination blocked|bad dns lookup error|\
         records for the destination computer could not be found|temporary failure in name resolution",
    ),
    (
        "hostunknown",
        "host unknown|unknown host|host not found|host or domain name not found|domain not found|\
         domain name not found|couldn't find any host named|illegal host/domain|domain is not reachable|\
         host unreachable|name or service not known|no such domain|no such host|unrouteable address|\
         unroutable address|unrouteable|domain does not exist|domain may not exist|host does not exist|\
         domain must exist|invalid domain|not a valid domain|unknown domain|553*does not exist|\
         mail domain mentioned|bad destination host|nxdomain|all host address lookups failed permanently|\
         host lookup did not complete|all relevant mx records point to non-existent|\
         server returned answer with no data|remote domain doesnt exist|.com does not exist|\
         .net does not exist|.org does not exist|domain isn't in|nonexistent domain|no mail exchanger",
    ),
    (
        "spamdetected",
        "considered spam|considered as spam|detected as spam|identified as spam|identified spam|\
         classified as spam|scored as spam|rejected as spam|rejected by spam|rejected due to spam|\
         rejected because of spam|contains spam|looks like spam|looked like spam|appears to be spam|\
         seems to be spam|seems to be a spam|similar to spam|probable spam|probably spam|suspected spam|\
         possible spam|may consider spam|spam message|spam email|spam content|spam check|spam score|\
         spam blocked|spam detected|spam refused|spam rejection|spam not accepted|spam points|spam filter|\
         spam block|spam-like|is spam|no spam please|too much spam|dont accept spam|antispam|anti spam|\
         spamassassin|spamprofiler|spam contents|spam classification|unsolicited|bulk e-mail|bulk email|\
         bulk mail|bulk.advertising|junk mail|content rejected|mail content denied|content filter rejection|\
         message filtered|high probability|listed in*uribl|uribl policy|blacklisted url|\
         rejecting banned content|rejecting mail content|unacceptable content|554 5.7.0 reject, id=|\
         mail score (|recurrent pattern|greylisted*please try again|temporarily blocked by our filter|\
         looks like a phishing|ube, id|, ube",
    ),
    (
        "speeding",
        "too many recipients this hour|too many messages|temporarily rate limited|rate limited|\
         try again slower|excessive volume|sending too fast|too much mail|mail sent exceeds|\
         at a rate that prevents",
    ),
    (
        "toomanyconn",
        "rate limit exceeded|too many connections|too many concurrent|too many sessions|too many smtp sessions|\
         too many recipients|too many errors from your|frequency limited|too many simultaneous|\
         connection limit|connection rate limit|max emails per hour|max message per connection|\
         daily message quota exceeded|maximum sending rate exceeded|trop de connexions|\
         already made numerous attempts|aup#in-1310",
    ),
    (
        "blocked",
        "banned sending ip|blocked for abuse|black list|blacklist|block list|blocklist|blackhole|spamhaus|\
         spamcop|dnsbl| rbl|rbl reject|blocked by|blocked using|blocked - see|refused - see|is blocked|\
         550 blocked|:blocked)|refused to talk to me|service refused|bad sender ip|connection dropped|\
         connection was dropped|connection refused by|connection reset by peer|client host rejected|\
         confirm this mail server|requires confirmation|not accepting connections|go away|\
         helo command rejected|my name was rejected|but greeting failed|dynamic ip|invalid ip for sending|\
         is not allowed to send mail from|no access from mail server|no matches to nameserver query|\
         please use the smtp server of your isp|open proxy|sender ip address rejected|\
         server access forbidden by your ip|access from ip address*blocked|closing transmission channel|\
         after initial connection|too many spams from your ip|too many unwanted messages|\
         not allowed to connect|you are sending spam|listed as abusive|adresse ip source bloquee|\
         temporarily deferred due to|looks suspiciously like spammer|sending mta or the sender has not passed|\
         helo rejected|connection not accepted|refused mail service|e-mail is redundant|connections from|\
         your ip address|ip blocked|reject your helo|suspected bounce attacks",
    ),
    (
        "virusdetected",
        "virus detected|infected|contains a virus|potentially executable attachment|prohibited virus|\
         recent viruses|malware|trojan|virus phishing|email rejected due to security policies",
    ),
    (
        "policyviolation",
        "policy reasons|local policy violation|host network not allowed|protocol violation|local policy|\
         organization policy|denied by policy|organizational settings|illegal attachment|prohibited attachment|\
         attachment type|attachment extension is forbidden|presents a potential|members-only list|\
         closed mailing list|header are not accepted|header error|multiple addresses|mass mailer|\
         not subscribed to this group|not accepting mail with|exceeded the policy|policy rejection|\
         policy restriction|violates our|against our policy|rejected by policy|email policy|\
         anti-spoofing policy|content examination policy|given low priority",
    ),
    (
        "systemerror",
        "internal system error|system config error|mail system configuration error|local configuration error|\
         server configuration error|remote server is misconfigured|local error in processing|\
         temporary local problem|interrupted system call|internal server error|internal error|can't create|\
         loop was found in the mail exchanger|queue file write error|no mdb|service currently unavailable|\
         forwarding loop broken|delivery to file forbidden|delivery to pipe forbidden|lmtp error after|\
         unable to connect*daemon|transaction failed|while being processed|duplicated message-id|\
         illegal value in ldap|ldap server|ldap lookup|after multiple retries|system error|\
         timeout waiting for input|loop alert|loop back warning",
    ),
    (
        "systemfull",
        "mail system full|requested mail action aborted: exceeded storage|insufficient system storage|\
         insufficient system resources|insufficient disk space",
    ),
    (
        "notaccept",
        "null mx|nullmx|does not accept mail|does not accept any mail|doesn't receive email|\
         indicated no smtp service|mail receiving disabled|name server: .: host not found|no mx record found|\
         no mx found for|no route for current request|no host found for existing smtp connection|\
         couldn't find a mail exchanger or ip address|seem to reject all mails|not accepting network messages|\
         account inbounds disabled",
    ),
    (
        "expired",
        "connection timed out|delivery expired|delivery time expired|message expired|envelope expired|\
         message timed out|giving up on|have been failing for a long time|has been delayed|\
         has been in the queue too long|retry time not reached|retry timeout exceeded|delivery retry timeout|\
         server did not respond|did not accept our requests to connect|could not contact dns servers|\
         not been collected after|failed to deliver to domain|could not find a gateway for|\
         delivery attempts will continue|unable to deliver message after multiple|\
         not reachable within the allowed|could not be delivered for|not delivered within|\
         could not deliver for the last|has been frozen|was frozen on arrival|delay reason:|host not reachable|\
         delivery timeout",
    ),
    (
        "failedstarttls",
        "starttls is required|tls required but not supported|must issue a starttls|requires encryption (tls)|\
         requires tls version|tls required for|failed mta-sts validation|starttls-not-supported|\
         certificate-expired|certificate-host-mismatch|tlsa-invalid|dnssec-invalid|cannot start tls|\
         tls is required, but",
    ),
    (
        "securityerror",
        "account not subscribed to ses|authentication credentials|authentication failure|authentication failed|\
         authentication required|authentication turned on|must authenticate|unauthenticated senders|\
         not authorized|not authorised|verification failure|executable files are not allowed|is a dead domain|\
         authentification|security reason|security alert|no ssl|unauthorized|could not retrieve credentials|\
         not authenticated",
    ),
    ("suppressed", "suppression list|suppressed recipient"),
    (
        "mailererror",
        "procmail|maidrop|maildrop:|pipe to |mailer error|exited with|exit status|command failed|\
         command time limit|command output:|died with status|unknown mailer error|local delivery failed|\
         deferred: local mailer",
    ),
    (
        "syntaxerror",
        "angle-brackets nested too deep|expected word or \"<\"|domain missing in source-routed|\
         malformed address:",
    ),
];

/// Words that hint at a reason; asked when neither exact words nor the codes tell. The first row wins.
pub(super) const LOOSE: &[Row] = &[
    ("authfailure", "authentication information|dkim"),
    ("toomanyconn", "too many errors"),
    ("suspend", "is disabled|suspended|not active|deactivated"),
    ("virusdetected", "virus"),
    ("policyviolation", "for policy|security policies"),
    ("spamdetected", "spam|junk|bulk|ofr_506|[ofr_5"),
    ("mesgtoobig", "size limit|too large"),
    (
        "blocked",
        "access denied|your ip|ip address has been|not allowed to send|rejected because of|\
         temporarily deferred|service not available",
    ),
    ("rejected", "sender address|fix reverse|from header"),
    // Domino's words around a reply that says nothing more.
    ("notaccept", "smtp protocol returned a permanent error"),
    ("networkerror", "dns error"),
    ("hostunknown", "name service error|has no mx|no mx record"),
    ("contenterror", "header error|message header size"),
    (
        "syntaxerror",
        "syntax error|improper sequence of commands|command not recognized|not implemented|bad sequence",
    ),
    (
        "systemerror",
        "configuration error|service unavailable|local configuration|server error|permission denied|io error|\
         i/o error|local error|could not be processed",
    ),
    (
        "expired",
        "timed out|timeout|time out|expired|giving up.|queue too long|retry time|connection refused|\
         socket error|not responding|unable to connect|could not connect|cannot connect|delivery time|too old|\
         will be retried|unable to deliver this message after|not yet been delivered|\
         could not send message for past|couldn't establish|no answer from host|unreachable|\
         temporarily unavailable",
    ),
];
