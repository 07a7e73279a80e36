//! Which answers are explicit consent. Nobody can tell from a form that a tick means it: an administrator names the questions.

/// A question whose answer is consent to marketing mail of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentQuestion {
    pub form: i64,
    pub question: i64,
    /// The choice that means yes; `None` takes every answer that is not empty and not one of [`NO`].
    pub choice: Option<i64>,
}

/// Settings of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub consent: Vec<ConsentQuestion>,
}

/// Answers that are a no, in lower case.
const NO: [&str; 6] = ["", "no", "false", "0", "off", "unchecked"];

impl Settings {
    /// Whether an answer to a question of a form is consent.
    pub fn consents(&self, form: i64, question: i64, value: &str) -> bool {
        let asked = self.consent.iter().filter(|one| one.form == form && one.question == question);
        let value = value.trim();
        asked.into_iter().any(|one| match one.choice {
            Some(choice) => value.parse() == Ok(choice),
            None => !NO.contains(&value.to_lowercase().as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named() {
        let one = |choice| Settings { consent: vec![ConsentQuestion { form: 1, question: 2, choice }] };
        let check = |choice, question, value: &str, yes| {
            assert_eq!(one(choice).consents(1, question, value), yes, "{value}");
        };
        check(Some(7), 2, "7", true);
        check(Some(7), 2, "8", false);
        check(Some(7), 3, "7", false);
        check(None, 2, "true", true);
        check(None, 2, " No ", false);
        check(None, 2, "", false);
        assert!(!one(None).consents(9, 2, "true") && !Settings::default().consents(1, 2, "true"));
    }
}
