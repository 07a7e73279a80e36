//! Who must not be mailed, what the stand-in's log says, and whether both sides agree in the end.

use std::collections::BTreeSet;

use postroom_core::address::normal;
use postroom_core::marketing::Suppression;
use postroom_core::{Crm, Query, Record, Value};
use postroom_sandbox::dotdigital::MailKind;

use super::{FLAGS, Model};

fn flagged(row: &Record) -> bool {
    FLAGS.iter().any(|column| row.get(column).and_then(Value::as_bool) == Some(true))
}

impl Model {
    pub fn story(&self) -> String {
        self.told.iter().map(|line| format!("{line}\n")).collect()
    }

    async fn records(&self) -> Vec<Record> {
        let mut rows = Vec::new();
        for table in ["contact", "lead"] {
            let columns = [["emailaddress1", "statecode"].as_slice(), &FLAGS].concat();
            rows.extend(self.lab.crm.query(&Query::of(table).select(&columns)).await.unwrap());
        }
        rows
    }

    /// Whoever must get no marketing mail from now on, for each account: opted out there, known to its exchanges, flagged by a
    /// user, or flagged by us for an opt-out that no consent followed.
    pub async fn opted_out(&self) -> Vec<BTreeSet<String>> {
        let users = self.people.values().filter(|person| !person.flags.is_empty());
        let mut flags: BTreeSet<String> = users.map(|person| normal(&person.address)).collect();
        let address = |row: &Record| normal(row.text("emailaddress1").unwrap_or_default());
        let ours = self.records().await.iter().filter(|row| flagged(row)).map(address).collect::<Vec<_>>();
        flags.extend(ours.into_iter().filter(|address| !self.back.contains(address)));
        let of = |side: &super::Side| {
            let there = |address: &str| self.lab.world.person(side.number, address);
            let refused = |address: &&String| there(address).is_some_and(|person| !person.status.mailable());
            let mut out: BTreeSet<String> = side.out.union(&flags).cloned().collect();
            out.extend(self.addresses.iter().filter(refused).map(|address| normal(address)));
            out
        };
        self.sides.iter().map(of).collect()
    }

    pub fn judge(&mut self, before: &[BTreeSet<String>]) {
        let story = self.story();
        for (side, out) in self.sides.iter_mut().zip(before) {
            let log = self.lab.world.log(side.number);
            for mailing in log.iter().skip(side.judged).filter(|mailing| mailing.mailed) {
                let (address, name) = (normal(&mailing.email), side.name);
                let marketing = !matches!(mailing.kind, MailKind::Transactional);
                assert!(!marketing || !out.contains(&address), "{name}: {address} was mailed\n{story}");
                self.returned += u64::from(self.back.contains(&address));
                match (mailing.kind, mailing.campaign) {
                    (MailKind::Campaign, Some(campaign)) => {
                        let first = side.mailed.insert((campaign, address.clone()));
                        assert!(first, "{name}: {address} was mailed twice by {campaign}\n{story}");
                    }
                    _ => side.singly += 1,
                }
            }
            let asked = side.triggered.as_ref().map_or(0, |(_, asked)| *asked);
            assert!(side.singly <= asked, "{}: {} single mails of {asked}\n{story}", side.name, side.singly);
            side.judged = log.len();
        }
    }

    async fn suppressions(&self, account: &str) -> BTreeSet<String> {
        let service = &self.lab.engine.account(account).unwrap().service;
        let (since, mut ask, mut there) = (jiff::Timestamp::UNIX_EPOCH, Default::default(), BTreeSet::new());
        loop {
            let page = service.suppressions(since, &ask).await.unwrap();
            there.extend(page.rows.iter().map(|row: &Suppression| normal(&row.email)));
            match page.next {
                Some(next) => ask = ask.after(next),
                None => return there,
            }
        }
    }

    /// The services know whoever is out, and every record that has such an address says so.
    pub async fn agree(&self) {
        let (all, records) = (self.opted_out().await, self.records().await);
        for (side, expected) in self.sides.iter().zip(all) {
            let there = self.suppressions(side.name).await;
            let known = |address: &&String| there.contains(*address) || side.signed_up.contains(*address);
            let missing: Vec<_> = expected.iter().filter(|address| !known(address)).collect();
            assert!(missing.is_empty(), "{} does not know of {missing:?}\n{}", side.name, self.story());
            for row in &records {
                let address = normal(row.text("emailaddress1").unwrap_or_default());
                let told = flagged(row) || !expected.contains(&address);
                assert!(told, "{}: {} {address} is not flagged\n{}", side.name, row.at, self.story());
            }
        }
    }
}
