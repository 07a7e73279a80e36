//! A mail server that does as the test says and remembers what it was given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postroom_core::{Answer, Code, Fault, Handed, MailSender, Outgoing, Verdict};

type Script = Box<dyn FnOnce(&Outgoing) -> Result<Handed, Fault> + Send>;

/// The server: accepts everything unless the next line of its script says otherwise.
#[derive(Clone, Default)]
pub struct Server {
    book: Arc<Mutex<Vec<Outgoing>>>,
    script: Arc<Mutex<VecDeque<Script>>>,
}

impl Server {
    /// What the next mail that has no line yet is answered.
    pub fn then(&self, answer: impl FnOnce(&Outgoing) -> Result<Handed, Fault> + Send + 'static) -> &Self {
        self.script.lock().unwrap().push_back(Box::new(answer));
        self
    }

    /// These recipients get this answer, the others are accepted.
    pub fn answers(&self, who: &'static [&'static str], code: u16, text: &'static str) -> &Self {
        self.then(move |mail| {
            let one = |to: &String| match who.contains(&to.as_str()) {
                true => (to.clone(), answer(code, text)),
                false => (to.clone(), answer(250, "queued")),
            };
            Ok(mail.to.iter().map(one).collect())
        })
    }

    pub fn fails(&self, verdict: Verdict, code: Code) -> &Self {
        self.then(move |_| Err(Fault::new(verdict, code, "the line broke")))
    }

    /// Every mail it was given, in order.
    pub fn book(&self) -> Vec<Outgoing> {
        self.book.lock().unwrap().clone()
    }
}

pub fn answer(code: u16, text: &str) -> Answer {
    Answer { code, status: Some(format!("{}.0.0", code / 100)), text: text.to_owned() }
}

#[async_trait]
impl MailSender for Server {
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault> {
        self.book.lock().unwrap().push(mail.clone());
        let line = self.script.lock().unwrap().pop_front();
        match line {
            Some(line) => line(&mail),
            None => Ok(mail.to.iter().map(|to| (to.clone(), answer(250, "queued"))).collect()),
        }
    }

    fn host(&self) -> String {
        "mail.test".into()
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok("a server of the test's own".into())
    }
}
