//! What goes wrong on the way: nothing is lost, and nothing doubled, whatever the server can.

use std::sync::Arc;

use postroom_core::Crm;
use postroom_embedded::soap::{Generation, Settings};

use crate::faults::check;
use crate::server::{Mood, On, Server, on_both};

on_both!(limits_are_obeyed, away_and_back, lost_answers_are_looked_for, cut_answers_are_looked_for);

/// Every server that writes sets in another way.
const SERVERS: [Generation; 3] = [Generation::Crm2011, Generation::Crm2011Ur12, Generation::Dataverse];

async fn server(on: On, generation: Generation) -> Server {
    let server = Server::new(on).await;
    server.be(Settings { generation, ..Settings::default() });
    server
}

async fn over_soap(on: On, mood: impl Fn(usize) -> Mood) {
    let client = |server: &Server| Arc::new(server.soap_with(|settings| settings.batch = 12)) as Arc<dyn Crm>;
    for generation in SERVERS {
        check(async || server(on, generation).await, client, &mood, &[2, 3]).await;
    }
}

async fn limits_are_obeyed(on: On) {
    over_soap(on, Mood::Limits).await;
}

async fn away_and_back(on: On) {
    over_soap(on, Mood::Away).await;
}

async fn lost_answers_are_looked_for(on: On) {
    over_soap(on, Mood::Lost).await;
}

async fn cut_answers_are_looked_for(on: On) {
    over_soap(on, Mood::Cut).await;
}
