//! Words in subjects by which absence notes and acknowledgements give themselves away, in many languages.
//!
//! The weakest of proofs: a person may write about an absence. They withhold an answer and never classify alone.

use crate::token::plain;

/// Anywhere in the subject; plain lower case.
const ANYWHERE: &[&str] = &[
    "out of office",
    "out of the office",
    "out-of-office",
    "automatic reply",
    "automatic response",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "vacation reply",
    "on vacation",
    "abwesenheitsnotiz",
    "abwesenheitsnachricht",
    "automatische antwort",
    "nicht im büro",
    "réponse automatique",
    "reponse automatique",
    "absence du bureau",
    "message d'absence",
    "automatisch antwoord",
    "afwezigheidsbericht",
    "autosvar",
    "automatiskt svar",
    "automatisk svar",
    "frånvaro",
    "fravær",
    "poissaolo",
    "automaattinen vastaus",
    "fuori sede",
    "fuori ufficio",
    "risposta automatica",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "fuera de oficina",
    "resposta automática",
    "ausência temporária",
    "fora do escritório",
    "autoodpowiedź",
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "automatická odpověď",
    "automatikus válasz",
    "otomatik yanıt",
    "iş yeri dışında",
    "автоматический ответ",
    "автоответ",
    "автоматична відповідь",
    "αυτόματη απάντηση",
    "自動返信",
    "自动回复",
    "自动答复",
    "自動回覆",
    "자동 회신",
    "자동회신",
    "부재중",
    "不在通知",
];

/// Longer than any sensible subject; absence notes put their words in front.
const MOST_CHARS: usize = 300;

/// The phrase that stands in the subject, if any.
pub(super) fn of_absence(subject: &str) -> Option<&'static str> {
    let start: String = subject.chars().take(MOST_CHARS).collect();
    let subject = plain(&start);
    ANYWHERE.iter().copied().find(|phrase| subject.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_in_plain_lower_case() {
        for phrase in ANYWHERE {
            assert_eq!(plain(phrase), *phrase);
        }
    }

    #[test]
    fn found_in_any_case_and_place() {
        assert_eq!(of_absence("RE: OUT OF OFFICE: Order"), Some("out of office"));
        assert_eq!(of_absence("Re: Order"), None);
    }
}
