//! What a server promises in its answer to EHLO (RFC 5321 4.1.1.1).

use super::options::Mechanism;
use super::wire::Reply;

/// The extensions we can use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    pub start_tls: bool,
    pub pipelining: bool,
    pub eight_bit: bool,
    pub utf8: bool,
    pub dsn: bool,
    /// Largest mail in bytes; 0: no limit given. None: not declared at all.
    pub size: Option<u64>,
    pub plain: bool,
    pub login: bool,
    pub xoauth2: bool,
}

impl Offers {
    pub fn of(hello: &Reply) -> Self {
        let mut offers = Offers::default();
        for line in hello.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // Old servers write `AUTH=LOGIN` beside or instead of `AUTH LOGIN`.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next().unwrap_or_default() {
                "STARTTLS" => offers.start_tls = true,
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit = true,
                "SMTPUTF8" => offers.utf8 = true,
                "DSN" => offers.dsn = true,
                "SIZE" => offers.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
                "AUTH" => words.for_each(|word| match word {
                    "PLAIN" => offers.plain = true,
                    "LOGIN" => offers.login = true,
                    "XOAUTH2" => offers.xoauth2 = true,
                    _ => {}
                }),
                _ => {}
            }
        }
        offers
    }

    /// The mechanism to use, when the server has it.
    pub fn mechanism(&self, wanted: Mechanism) -> Option<Mechanism> {
        match wanted {
            Mechanism::Password if self.plain => Some(Mechanism::Plain),
            Mechanism::Password | Mechanism::Login if self.login => Some(Mechanism::Login),
            Mechanism::Plain if self.plain => Some(Mechanism::Plain),
            Mechanism::XOAuth2 if self.xoauth2 => Some(Mechanism::XOAuth2),
            _ => None,
        }
    }

    /// For a person.
    pub fn describe(&self) -> String {
        let size = match self.size {
            Some(size) if size > 0 => Some(format!("SIZE {size}")),
            _ => None,
        };
        let words = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit, "8BITMIME"),
            (self.utf8, "SMTPUTF8"),
            (self.dsn, "DSN"),
        ];
        let mut words: Vec<String> =
            words.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()).collect();
        words.extend(size);
        if words.is_empty() { "nothing beyond plain SMTP".to_owned() } else { words.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn offers(lines: &[&str]) -> Offers {
        let lines = std::iter::once("mx.example").chain(lines.iter().copied()).map(str::to_owned).collect();
        Offers::of(&Reply { code: 250, lines })
    }

    #[test]
    fn promises_are_read() {
        let all = offers(&[
            "pipelining",
            "SIZE 100",
            "8bitmime",
            "SmtpUtf8",
            "DSN",
            "STARTTLS",
            "AUTH=LOGIN",
            "AUTH PLAIN x",
        ]);
        assert!(
            all.pipelining && all.eight_bit && all.utf8 && all.dsn && all.start_tls && all.login && all.plain
        );
        assert_eq!(all.size, Some(100));
        assert_eq!(offers(&["SIZE", "SIZEX 3"]).size, Some(0));
        // The first line is the server's name, whatever it says.
        assert_eq!(Offers::of(&Reply { code: 250, lines: vec!["STARTTLS".to_owned()] }), Offers::default());
    }

    #[test]
    fn mechanisms_are_chosen() {
        use Mechanism::*;
        let (both, login) = (offers(&["AUTH LOGIN PLAIN"]), offers(&["AUTH LOGIN XOAUTH2"]));
        assert_eq!(both.mechanism(Password), Some(Plain));
        assert_eq!(login.mechanism(Password), Some(Login));
        assert_eq!(login.mechanism(Plain), None);
        assert_eq!(login.mechanism(XOAuth2), Some(XOAuth2));
        assert_eq!(offers(&[]).mechanism(Password), None);
    }
}
