//! The words by which servers say why: one row for each reason, phrases in lower case with white space folded, parted
//! by `|`. The first row with a phrase in the text wins, so the order of the rows matters. Data only.

/// Reason and phrases.
type Row = (&'static str, &'static str);

/// Whether one of a row's phrases stands in a text (lower case, white space folded).
pub(super) fn matches(row: &Row, text: &str) -> bool {
    row.1.split('|').any(|phrase| text.contains(phrase))
}

pub(super) const ROWS: [Row; 27] = [
    (
        "authfailure",
        "dmarc|spf check|fails to pass spf|spf record|unauthenticated email|authentication checks failed|\
         authentication information|dkim|sender policy framework|spf fail|failed spf|spf validation",
    ),
    (
        "requireptr",
        "ptr record|reverse dns|rdns|unverifyable sending ip|unverifiable sending ip|\
         cannot find your hostname|cannot find your reverse|cannot resolve your|no ptr|reverse lookup|\
         mismatches client ip|hostname doesn't match|client host rejected: cannot find|fcrdns",
    ),
    (
        "badreputation",
        "ip reputation|poor reputation|bad reputation|low reputation|reputation of the sending|\
         unexpected volume or user complaints|[tss04]|[tss09]|senderscore|sender score|\
         sending ip's reputation",
    ),
    (
        "speeding",
        "too many recipients this hour|too many messages|rate limited|throttl|sending too fast|too much mail|\
         too quickly|mail sent exceeds",
    ),
    (
        "toomanyconn",
        "rate limit exceeded|too many connections|too many concurrent|too many sessions|too many recipients|\
         too many errors|frequency limited|too many simultaneous|connection limit|connection rate limit|\
         aup#in-1310",
    ),
    (
        "norelaying",
        "relay access denied|relaying denied|relay denied|relay not permitted|relaying not permitted|\
         not permitted to relay|relaying not allowed|relay not allowed|not allowed to relay|no relaying|\
         we do not relay|relaying mail|unable to relay|email address is not verified|relay prohibited|\
         not a gateway|isn't in my list of allowed rcpthosts|not local; please try",
    ),
    (
        "notaccept",
        "null mx|nullmx|does not accept mail|doesn't receive email|indicated no smtp service|\
         mail receiving disabled|does not accept any mail|host/domain does not accept mail",
    ),
    ("hasmoved", "not our user|has moved|has been replaced by|no longer uses this|address changed"),
    (
        "mailboxfull",
        "mailbox full|mailbox is full|mail box is full|mail box full|mailfolder is full|quota exceeded|\
         over quota|overquota|over the quota|exceeded quota|exceed quota|quota exceed|out of storage|\
         storage quota|exceeded storage|insufficient storage|mailbox size limit|mailbox exceeds|\
         mailbox has exceeded|exceeded the space limit|full mailbox|inbox is full|account is full|disk full|\
         not enough storage space in|not enough space|maildir over|recipient's mailbox is over|mailbox quota|\
         quota violation|user over|exceeds size limit for mailbox|メールボックスが一杯|delivery failed: over|\
         boîte pleine|boite du destinataire pleine|recipient overquota",
    ),
    (
        "mesgtoobig",
        "message too large|message too big|message is too large|message size exceeds|size exceeds|\
         message file too big|exceeds maximum message size|exceeds size limit|exceeds the maximum|too large|\
         message length exceeds|max message size|size limit|larger than the|\
         exceeded maximum inbound message size|maximum message size",
    ),
    (
        "systemfull",
        "insufficient disk space|insufficient system storage|no space left|disk space|mail system full|\
         requested mail action aborted: exceeded storage",
    ),
    (
        "suspend",
        "account is disabled|account has been disabled|mailbox disabled|mailbox is disabled|\
         disabled recipient|you tried to reach is disabled|is disabled|recipient account is blocked|\
         destinataire est bloque|mailbox is frozen|mailbox frozen|suspended|account is inactive|\
         mailbox is inactive|inactive user|inactive account|inactive recipient|account inactive|not active|\
         deactivated|account disabled|user disabled|account is locked|account locked|currently suspended|\
         account expired|temporarily locked|mailbox currently|recipient suspend|invalid/inactive user|\
         mailbox unavailable or access denied|account closed|account is closed",
    ),
    ("virusdetected", "virus|infected|malware|trojan"),
    (
        "policyviolation",
        "policy reasons|policy violation|protocol violation|host network not allowed|policy restriction|\
         content presents a potential|because of local policy|by local policy|violates our|policy rejection|\
         denied by policy|against our policy|attachment type|prohibited attachment|\
         you have exceeded the policy|you have been rejected by policy|for policy|email policy|\
         security policies",
    ),
    (
        "spamdetected",
        "spam|ube, id|, ube|bulk e-mail|bulk email|unsolicited|junk mail|content rejected|\
         looks like a phishing|ofr_506|high probability|message filtered|blocked using spam|\
         rejected due to content|[ofr_5",
    ),
    (
        "securityerror",
        "unauthenticated senders|not authorized|not authorised|authentication required|starttls|\
         must authenticate|authentication failed|authentication credentials|no ssl|security reason|\
         unauthorized|encryption required",
    ),
    (
        "networkerror",
        "hop count exceeded|too many hops|too many received|mail loop|routing loop|mail forwarding loop|\
         loops back to myself|host name lookup failure|malformed or unexpected name server|\
         no relevant answers|dns error|dns lookup failed|dns server failure|network error|no route to host|\
         network is unreachable|maximum forwarding|tcp error|couldn't find any host by that name",
    ),
    (
        "mailererror",
        "procmail|pipe to|mailer error|exited with|exit status|command failed|command time limit|\
         local delivery failed|unknown mailer error|failed to read response|deferred: local mailer",
    ),
    (
        "hostunknown",
        "host unknown|unknown host|host not found|domain not found|couldn't find any host named|\
         illegal host/domain|domain is not reachable|name or service not known|host or domain name not found|\
         no such domain|unrouteable|unroutable|domain does not exist|domain may not exist|invalid domain|\
         no mail exchanger|name service error|domain must exist|nxdomain|not a valid domain|\
         bad destination host|has no mx|no such host|no mx record|name server: host not found|\
         all relevant mx records point to non-existent|.com does not exist|.net does not exist|\
         .org does not exist|mail domain mentioned|host does not exist|domain isn't in|\
         responded with code nxdomain|550 host unknown",
    ),
    (
        "blocked",
        "banned sending ip|blocked for abuse|blocked by ldap|black list|blacklist|block list|blocklist|\
         blackhole|spamhaus|dnsbl| rbl|refused to talk to me|service refused|service refuse.|\
         connection dropped|client host rejected|access denied|your ip|ip address has been|ip blocked|\
         connection refused by|not accepting connections|closing transmission channel|not allowed to send|\
         connections from|temporarily deferred|e-mail is redundant|host is blocked|blocked by|\
         rejected because of|we do not accept mail from|bad sender ip|helo rejected|connection not accepted|\
         connection reset by peer|refused mail service",
    ),
    (
        "rejected",
        "sender was rejected|sender rejected|sender address rejected|sender address|access denied|\
         purported responsible|not a registered gateway user|sender denied|sender not allowed|\
         rejected sender|sender is not|domain of sender|fix reverse|does not have permission|\
         not have permission to post|権限がない|غير مصرح لك|no tienes los permisos|沒有在此群組|\
         group you tried to contact|may not exist, or you may not have|não tem permissão|permission to post|\
         bounced address|invalid sender|from address|sender verify failed|nicht zulässig|\
         not accept mail from|address rejected: sender|from header",
    ),
    (
        "filtered",
        "recipient preferences|refused due to recipient|cannot route mail to user|mailbox unavailable|\
         because the recipient is only accepting mail from|recipient refused|account protected|\
         user reject the mail|permanently deferred|\
         we failed to deliver mail because the following address recipient id refused|\
         this recipient has rejected|resolver.rst.notauthorized|requested action not taken: mailbox",
    ),
    (
        "userunknown",
        "user unknown|unknown user|no such user|unknown recipient|recipient unknown|user not found|\
         recipient not found|recipnotfound|recipient name is not recognized|mailbox does not exist|\
         no mailbox here|no such mailbox|mailbox not found|unknown address|address unknown|no such address|\
         user does not exist|user doesn't exist|does not exist|doesn't exist|invalid recipient|\
         invalid mailbox|invalid user|invalid address|destinataire invalide|no valid recipients|\
         final delivery userid|unknown or illegal|not a known user|not listed in domino directory|\
         not listed in public name|non répertorié dans l'annuaire domino|\
         no se encuentra en el directorio de domino|domino ディレクトリには見つかりません|no account by that name|\
         not a valid user|not a valid mailbox|unknown local part|unknown account|no such recipient|\
         bad destination mailbox|account not found|does not have an account|is not a valid|unknown mailbox|\
         no such person|no recipient|not known at this site|user not known|user is unknown|\
         no one by that name|recipient no longer|no longer available|couldn't be found|wasn't found at|\
         could not be found|kein solcher benutzer|benutzer unbekannt|unbekannter|destinatario sconosciuto|\
         doesn't have a yahoo.com account|address not found|mailbox unknown|unrecognized recipient|\
         recipient is not exist|recipient does not|unable to find recipient|this user doesn't have|\
         no local mailbox|r_dst_bad|無効なアドレス|is not listed in|there is no one at|dosn't exist",
    ),
    (
        "contenterror",
        "media error|content error|mime error|header error|improper use of 8-bit|malformed mime|\
         message header size",
    ),
    (
        "syntaxerror",
        "syntax error|improper sequence of commands|command not recognized|not implemented|bad sequence",
    ),
    (
        "systemerror",
        "internal system error|system config error|transaction failed|after multiple retries|system error|\
         internal error|configuration error|several matches found in domino directory|duplicated message-id|\
         internal server error|can't create output|service unavailable|local configuration|server error|\
         interrupted system call|permission denied|io error|i/o error|service not available|local error|\
         could not be processed",
    ),
    (
        "expired",
        "timed out|timeout|time out|expired|giving up.|queue too long|has been delayed|\
         could not deliver for the last|retry time|host not reachable|connection refused|socket error|\
         was not responding|not responding|did not accept our requests to connect|unable to connect|\
         could not connect|cannot connect|retry timeout exceeded|delivery time|too old|not delivered within|\
         will be retried|unable to deliver this message after|not yet been delivered|\
         could not send message for past|couldn't establish|no answer from host|unreachable",
    ),
];
