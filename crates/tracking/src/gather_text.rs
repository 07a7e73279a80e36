//! What a stretch of free text names: subject tokens and ids that we signed.
//!
//! For bounces without structure: many servers quote the returned mail's headers as plain text, and of 789 real bounces
//! 685 hold a Message-ID somewhere in their body (`mail-tracking.md` 5.2). An ordinary mail's body is never searched so:
//! quotations name old matters.

use uuid::Uuid;

use crate::token::grammar::{self, FoundToken};
use crate::token::signed::{Kind, Signer, Verification};

/// Our longest Message-ID and address are shorter; a longer word is neither.
const MOST_BYTES: usize = 160;
/// More of a kind in one text is an attack; the first ones count, for the headers come first.
const MOST: usize = 32;

/// What a text names, each thing once, in the order it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    pub signed: Vec<SignedId>,
    /// Words that claim to be signed by us and are not.
    pub forged: Vec<String>,
    pub tokens: Vec<FoundToken>,
}

/// A valid signed Message-ID or reply address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedId {
    pub kind: Kind,
    pub id: Uuid,
    /// As it stood in the text, without angle brackets.
    pub text: String,
}

/// Reads a text of any length in linear time.
pub fn gather(text: &str, signer: &Signer) -> Named {
    let mut named = Named { tokens: grammar::find_tokens(text), ..Named::default() };
    for word in text.split(|c| !may_stand_in_id(c)) {
        // A sentence may end behind an id.
        let word = word.trim_matches('.');
        if word.len() > MOST_BYTES || !word.contains('@') {
            continue;
        }
        let judged = match signer.verify(word) {
            Verification::NotOurs => signer.verify_address(word),
            claim => claim,
        };
        match judged {
            Verification::Valid { kind, id, .. } => {
                if named.signed.len() < MOST
                    && !named.signed.iter().any(|known| known.id == id && known.kind == kind)
                {
                    named.signed.push(SignedId { kind, id, text: word.to_owned() });
                }
            }
            Verification::Forged => {
                if named.forged.len() < MOST && !named.forged.iter().any(|known| known == word) {
                    named.forged.push(word.to_owned());
                }
            }
            Verification::NotOurs => {}
        }
    }
    named
}

fn may_stand_in_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::seed;
    use crate::token::signed::Key;

    const ID: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_1f0e6e2a9b11);

    fn signer() -> Signer {
        Signer::new(Uuid::from_u128(1), vec![Key { id: 1, secret: [7; 32] }], "crm.example").unwrap()
    }

    #[test]
    fn quoted_headers_of_a_returned_mail() {
        let id = signer().sign_message_id(Kind::Message, ID);
        let text = format!(
            "Your message\n  Subject: Hello\n    {}\nwas not delivered.\n> Message-ID: {id}\n> References: {id}.\n",
            seed::make(ID)
        );
        let named = gather(&text, &signer());
        assert_eq!(named.signed.len(), 1);
        assert_eq!((named.signed[0].kind, named.signed[0].id), (Kind::Message, ID));
        assert_eq!(format!("<{}>", named.signed[0].text), id);
        assert_eq!(named.tokens[0].guid, ID);
        assert!(named.forged.is_empty());
    }

    #[test]
    fn reply_addresses_count_and_forgeries_are_kept_apart() {
        let address = signer().reply_address(Kind::Bounce, ID);
        let forged = "pr1.2cbf3v805aty98p8t30z1sq2n6rh.00000000000000000000@crm.example";
        let named = gather(&format!("to {forged}; a@b.example and {address}."), &signer());
        assert_eq!(named.signed.len(), 1);
        assert_eq!(named.signed[0].kind, Kind::Bounce);
        assert_eq!(named.forged, [forged]);
    }

    #[test]
    fn nothing_in_other_text() {
        assert_eq!(gather("", &signer()), Named::default());
        assert_eq!(gather(&"@".repeat(1 << 20), &signer()), Named::default());
        assert_eq!(gather("Ünïcode <x@y.example> pr1. @crm.example", &signer()), Named::default());
    }
}
