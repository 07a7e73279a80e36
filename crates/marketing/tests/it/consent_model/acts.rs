//! What users of the CRM, people and others do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use postroom_core::address::normal;
use postroom_core::marketing::{
    CampaignDraft, Consent, ContactRow, Content, ImportOrder, ListId, Merge, Names, ReplyAction,
};
use postroom_core::{Record, RecordRef};
use postroom_embedded::messages::Parameter;
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::SyncType;
use postroom_sandbox::dotdigital::{Act, Arrangement};
use uuid::Uuid;

use super::harness::ACCOUNTS;
use super::{ADDRESSES, CAMPAIGNS, FLAGS, Model, PEOPLE, Someone};
use crate::office::{Campaign, option};

impl Model {
    pub fn new_address(&mut self) {
        let n = self.addresses.len();
        let address = match n % 5 {
            0 => format!("Anna{n}@X.example"),
            1 => format!("o'brien+{n}@example.com"),
            2 => format!("kim%{n}@z.example"),
            3 => format!("lea.m_{n}@z.example"),
            _ => format!("nils{n}@z.example"),
        };
        self.addresses.push(address);
    }

    /// One that is in use; from time to time a new one comes into use.
    fn address(&mut self) -> String {
        if self.chance.below(10) == 0 {
            self.new_address();
        }
        let used = self.addresses.len().min(ADDRESSES);
        let place = self.addresses.len() - 1 - self.chance.place(used);
        self.addresses[place].clone()
    }

    fn somebody(&mut self, wanted: impl Fn(&Someone) -> bool) -> Option<Uuid> {
        let fit: Vec<Uuid> =
            self.people.iter().filter(|(_, person)| wanted(person)).map(|(id, _)| *id).collect();
        let place = self.chance.place(fit.len());
        fit.get(place).copied()
    }

    fn at(&self, id: Uuid) -> RecordRef {
        RecordRef::new(self.people[&id].table, id)
    }

    async fn written(&mut self, id: Uuid, person: Someone) {
        let row = Record::new(RecordRef::new(person.table, id))
            .with("lastname", "Person")
            .with("emailaddress1", person.address.as_str());
        let row = if person.table == "lead" { row.with("subject", "x") } else { row };
        let row = FLAGS.iter().fold(row, |row, flag| row.with(*flag, person.flags.contains(flag)));
        self.lab.write(row).await;
        let at = RecordRef::new(person.table, id);
        for side in &self.sides {
            let list = if person.table == "lead" { &side.leads } else { &side.contacts };
            self.lab.join(list, std::slice::from_ref(&at)).await;
        }
        self.people.insert(id, person);
        self.made.push_back(id);
    }

    pub async fn person_made(&mut self) -> String {
        while self.people.len() >= PEOPLE {
            let Some(oldest) = self.made.pop_front() else { break };
            if self.people.contains_key(&oldest) {
                self.delete(oldest).await;
            }
        }
        self.number += 1;
        let table = if self.chance.below(4) == 0 { "lead" } else { "contact" };
        let (id, address) = (Uuid::from_u128(0xc000_0000 + self.number), self.address());
        let told = format!("{table} {id} with {address}");
        self.written(id, Someone { table, address, flags: BTreeSet::new(), open: true }).await;
        told
    }

    pub async fn address_changed(&mut self) -> String {
        let (Some(id), address) = (self.somebody(|person| person.open), self.address()) else {
            return String::new();
        };
        self.lab.write(Record::new(self.at(id)).with("emailaddress1", address.as_str())).await;
        self.people.get_mut(&id).unwrap().address = address.clone();
        format!("{id} now has {address}")
    }

    pub async fn flag_turned(&mut self) -> String {
        let Some(id) = self.somebody(|person| person.open) else { return String::new() };
        let (column, on) = (FLAGS[self.chance.place(3)], self.chance.below(3) > 0);
        let row = Record::new(self.at(id));
        let row = match on {
            true => row.with(column, true),
            false => FLAGS.into_iter().fold(row, |row, column| row.with(column, false)),
        };
        self.lab.write(row).await;
        let person = self.people.get_mut(&id).unwrap();
        match on {
            true => drop(person.flags.insert(column)),
            false => person.flags.clear(),
        }
        let address = person.address.clone();
        if on {
            self.back.remove(&normal(&address));
        }
        format!("{id} {address} {column} {on}")
    }

    async fn delete(&mut self, id: Uuid) {
        if self.lab.consent_delete(&self.at(id)).await {
            let person = self.people.remove(&id).unwrap();
            self.deleted.push((id, person));
        }
    }

    pub async fn person_deleted(&mut self) -> String {
        let Some(id) = self.somebody(|_| true) else { return String::new() };
        self.delete(id).await;
        format!("{id} is deleted")
    }

    /// A record comes back out of the recycle bin, or by an import with its id; what it said is not always in there.
    pub async fn person_made_again(&mut self) -> String {
        let place = self.deleted.len().saturating_sub(1 + self.chance.place(5));
        if self.deleted.is_empty() {
            return String::new();
        }
        let (id, mut person) = self.deleted.remove(place);
        if self.chance.below(3) > 0 {
            person.flags.clear();
        }
        person.open = true;
        let told = format!("{id} is made again with {} {:?}", person.address, person.flags);
        self.written(id, person).await;
        told
    }

    /// Two records of a table become one, either into the other; what the one says is taken over or not.
    pub async fn merged(&mut self) -> String {
        let table = if self.chance.below(4) == 0 { "lead" } else { "contact" };
        let fit = |person: &Someone| person.open && person.table == table;
        let (Some(master), Some(other)) = (self.somebody(fit), self.somebody(fit)) else {
            return String::new();
        };
        if master == other {
            return String::new();
        }
        let mut parameters = vec![
            ("Target", Parameter::Reference(self.at(master))),
            ("SubordinateId", Parameter::Guid(other)),
            ("PerformParentingChecks", Parameter::Bool(false)),
        ];
        let content = self.chance.below(2) == 0;
        let from = self.people[&other].clone();
        if content {
            let row = Record::new(self.at(master)).with("emailaddress1", from.address.as_str());
            let row = FLAGS.iter().fold(row, |row, flag| row.with(*flag, from.flags.contains(flag)));
            parameters.push(("UpdateContent", Parameter::Entity(row)));
        }
        if !self.lab.consent_message("Merge", parameters).await {
            return format!("{other} is not merged into {master}");
        }
        self.people.get_mut(&other).unwrap().open = false;
        if content {
            let into = self.people.get_mut(&master).unwrap();
            (into.address, into.flags) = (from.address, from.flags);
        }
        format!("{other} is merged into {master}, content {content}")
    }

    pub async fn lead_qualified(&mut self) -> String {
        let Some(id) = self.somebody(|person| person.open && person.table == "lead") else {
            return String::new();
        };
        let before = self.contacts().await;
        let parameters = vec![
            ("LeadId", Parameter::Reference(self.at(id))),
            ("CreateAccount", Parameter::Bool(false)),
            ("CreateContact", Parameter::Bool(true)),
            ("CreateOpportunity", Parameter::Bool(false)),
            ("Status", Parameter::Int(3)),
        ];
        if !self.lab.consent_message("QualifyLead", parameters).await {
            return format!("{id} is not qualified");
        }
        let made: Vec<Uuid> = self.contacts().await.difference(&before).copied().collect();
        let lead = self.people.get_mut(&id).unwrap();
        lead.open = false;
        let person = Someone { table: "contact", open: true, ..lead.clone() };
        for id in &made {
            self.people.insert(*id, person.clone());
            self.made.push_back(*id);
            let at = RecordRef::new("contact", *id);
            for side in &self.sides {
                self.lab.join(&side.contacts, std::slice::from_ref(&at)).await;
            }
        }
        format!("{id} is qualified: {made:?}")
    }

    async fn contacts(&self) -> BTreeSet<Uuid> {
        self.lab.rows("contact").await.into_iter().map(|row| row.at.id).collect()
    }

    /// The CRM's database is copied, or put back to the copy: what was said since, and what we told it, is not in there.
    pub async fn copied_or_put_back(&mut self) -> String {
        let open = |people: &BTreeMap<Uuid, Someone>| {
            people
                .iter()
                .filter(|(_, person)| person.open)
                .map(|(id, person)| (*id, person.clone()))
                .collect()
        };
        if self.chance.below(3) > 0 {
            self.copy = Some(open(&self.people));
            return "the CRM is copied".to_owned();
        }
        let Some(copy) = self.copy.clone() else { return String::new() };
        for id in self.people.keys().copied().collect::<Vec<_>>() {
            if !copy.contains_key(&id) && self.people[&id].open {
                self.delete(id).await;
            }
        }
        for row in self.lab.rows("esc_emailsupression").await {
            self.lab.consent_delete(&row.at).await;
        }
        let number = copy.len();
        for (id, person) in copy {
            if self.people.get(&id).is_none_or(|person| person.open) {
                self.written(id, person).await;
            }
        }
        format!("the CRM is put back: {number} people")
    }

    pub fn said_at_the_service(&mut self) -> String {
        let (side, address) = (self.chance.place(ACCOUNTS.len()), self.address());
        let act = match self.chance.below(4) {
            0 => Act::Unsubscribe,
            1 => Act::Complain,
            2 => Act::HardBounce,
            _ => Act::Suppress,
        };
        let side = &self.sides[side];
        let done = self.lab.world.act(side.number, &address, None, act.clone());
        self.back.remove(&normal(&address));
        format!("{} {address} {act:?} {done:?}", side.name)
    }

    /// A user writes down who opted out: as a row of the CRM, or in a list that is read in.
    pub async fn noted_by_a_user(&mut self) -> String {
        let (side, address) = (self.chance.place(ACCOUNTS.len()), self.address());
        let name = self.sides[side].name;
        let as_row = self.chance.below(2) == 0;
        match as_row {
            true => {
                self.number += 1;
                let at = RecordRef::new("esc_emailsupression", Uuid::from_u128(0x5_0000_0000 + self.number));
                let row = Record::new(at)
                    .with("esc_name", address.as_str())
                    .with("esc_emailaddress", address.as_str())
                    .with("esc_emailaccountid", self.lab.consent_account(name).await)
                    .with("esc_isactive", true);
                self.lab.write(row).await;
            }
            false => self.lab.consent_noted(name, &address).await,
        }
        self.sides[side].out.insert(normal(&address));
        self.back.remove(&normal(&address));
        format!("{name} {address} noted by a user, as a row {as_row}")
    }

    fn row(address: &str) -> ContactRow {
        let names = Names { email: Some(address.to_owned()), ..Names::default() };
        ContactRow { names, ..ContactRow::default() }
    }

    /// Somebody writes the address to the account by another program.
    pub async fn written_at_the_service(&mut self) -> String {
        let (side, address) = (self.chance.place(ACCOUNTS.len()), self.address());
        let account = self.lab.engine.account(self.sides[side].name).unwrap();
        let done = account.service.patch_contact(&Model::row(&address), Default::default()).await;
        format!("{} {address} written there {}", account.name, done.is_ok())
    }

    /// An old file of addresses is imported again, onto our list.
    pub async fn imported_by_others(&mut self) -> String {
        let side = self.chance.place(ACCOUNTS.len());
        let list = self.lab.record(&self.sides[side].contacts).await.unwrap().int("esc_serviceaddressbookid");
        let lists: Vec<ListId> = list.filter(|id| *id > 0).map(ListId).into_iter().collect();
        let addresses: Vec<String> = (0..5).map(|_| self.address()).collect();
        let rows: Vec<ContactRow> = addresses
            .iter()
            .map(|address| ContactRow { lists: lists.clone(), ..Model::row(address) })
            .collect();
        let service = &self.lab.engine.account(self.sides[side].name).unwrap().service;
        let done = service.import(&ImportOrder { rows: &rows, merge: Merge::Overwrite }).await;
        format!("{} {addresses:?} imported by others {}", self.sides[side].name, done.is_ok())
    }

    /// Somebody signs up again at the service: without a record of consent, with one that is older, or with what counts.
    pub async fn came_back(&mut self) -> String {
        let (both, first) = (self.chance.below(2) == 0, self.chance.place(ACCOUNTS.len()));
        let outs: Vec<String> = self.sides[first].out.iter().rev().take(20).cloned().collect();
        let place = self.chance.place(outs.len());
        let Some(address) = outs.get(place).cloned() else { return String::new() };
        let manner = self.chance.below(4);
        self.lab.advance(SignedDuration::from_mins(1));
        let now = self.lab.clock.now();
        let mut counted = Vec::new();
        for (place, side) in self.sides.iter_mut().enumerate().filter(|(place, _)| both || *place == first) {
            let signed = self.lab.world.act(side.number, &address, None, Act::SignUp);
            let consent = Consent {
                text: "Send me news".into(),
                at: if manner == 1 { now - SignedDuration::from_hours(24 * 400) } else { now },
                url: "https://x.example/form".into(),
                ip: "192.0.2.1".into(),
                user_agent: "A browser".into(),
            };
            if manner > 0 {
                let service = &self.lab.engine.account(side.name).unwrap().service;
                let row = ContactRow { consents: vec![consent], ..Model::row(&address) };
                // An answer that is lost: the consent may be there.
                drop(service.patch_contact(&row, Default::default()).await);
            }
            let there = self.lab.world.person(side.number, &address);
            let counts = manner > 1 && signed.is_ok() && there.is_some_and(|person| person.status.mailable());
            side.signed_up.insert(address.clone());
            if counts {
                side.out.remove(&address);
                counted.push(place);
            }
        }
        if !counted.is_empty() {
            self.back.insert(address.clone());
            for person in self.people.values_mut().filter(|person| normal(&person.address) == address) {
                person.flags.remove("donotbulkemail");
            }
        }
        format!("{address} signs up, manner {manner}, counts in {counted:?}")
    }

    async fn draft(&mut self, side: usize, name: &str) -> Campaign {
        let account = self.lab.engine.account(self.sides[side].name).unwrap();
        let draft = CampaignDraft {
            name: name.to_owned(),
            subject: "Spring".to_owned(),
            from_name: "Shop".to_owned(),
            from: None,
            content: Content {
                html: "<a href=\"http://$UNSUB$\">leave</a>".into(),
                text: "http://$UNSUB$".into(),
            },
            reply_action: ReplyAction::Unset,
            reply_to: None,
        };
        // Beside the faults that are switched on, which are for the engine.
        let made = loop {
            if let Ok(made) = account.service.create_campaign(&draft).await {
                break made;
            }
        };
        let key = self.lab.engine.connect(account).await.unwrap().key.campaign(made.id.0);
        Campaign { id: made.id.0, row: RecordRef::new("esc_emailcampaign", key.id("esc_emailcampaign")) }
    }

    pub async fn campaign_made(&mut self, side: usize) -> String {
        let name = format!("News {}", self.sides[side].campaigns.len());
        let campaign = self.draft(side, &name).await;
        self.exchange(side, SyncType::Campaigns).await;
        self.sides[side].campaigns.push(campaign);
        format!("{} {name}", self.sides[side].name)
    }

    /// The campaign for single mails.
    pub async fn campaign_triggered(&mut self, side: usize) {
        let campaign = self.draft(side, "Quote").await;
        let id = i32::try_from(campaign.id).unwrap();
        self.lab.world.arrange(self.sides[side].number, Arrangement::Triggered { campaign: id }).unwrap();
        self.exchange(side, SyncType::Campaigns).await;
        self.sides[side].triggered = Some((campaign, 0));
    }

    pub async fn send_asked(&mut self) -> String {
        let place = self.chance.place(ACCOUNTS.len());
        let newest = self.chance.place(CAMPAIGNS);
        self.asked += 1;
        let side = &self.sides[place];
        let campaign = &side.campaigns[side.campaigns.len() - 1 - newest];
        if self.lab.record(&campaign.row).await.is_none() {
            return "the campaign is not there yet".to_owned();
        }
        let lists = [side.contacts.clone(), side.leads.clone()];
        let expected = |row: Record| row.with("esc_expectedcount", 1);
        self.lab.request_by(&self.lab.crm, self.asked, campaign, &lists, expected).await;
        format!("{} send {} of {}", side.name, self.asked, campaign.id)
    }

    pub async fn mail_to_one_asked(&mut self) -> String {
        let place = self.chance.place(ACCOUNTS.len());
        let Some(person) = self.somebody(|_| true) else { return String::new() };
        let column = if self.people[&person].table == "lead" { "esc_leadid" } else { "esc_contactid" };
        let (at, account) = (self.at(person), self.lab.consent_account(self.sides[place].name).await);
        let Some((campaign, asked)) = &mut self.sides[place].triggered else { return String::new() };
        (*asked, self.asked) = (*asked + 1, self.asked + 1);
        let row =
            Record::new(RecordRef::new("esc_emailsinglesend", Uuid::from_u128(0x0051_0000 + self.asked)))
                .with("esc_name", "Single")
                .with(column, at)
                .with("esc_emailcampaignid", campaign.row.clone())
                .with("esc_emailaccountid", account)
                .with("esc_sendstatus", option(Set::SendStatus, "Requested"));
        self.lab.write(row).await;
        format!("a mail to {person}")
    }
}
