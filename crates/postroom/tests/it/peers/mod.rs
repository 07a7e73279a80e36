//! Real peers: Debian's Postfix hands mail on by SMTP and by LMTP, swaks tries the listener, and PostgreSQL carries it all.

mod postfix;
mod swaks;

use std::sync::LazyLock;

use postroom_testkit::peers::Postgres;

use crate::house::House;
use crate::story;

/// A postroom on PostgreSQL whose SMTP listener offers STARTTLS, with the people of the story.
static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let house = House::with_tls_on(&Postgres::shared().database(), story::CONFIG);
    house.records(&story::organisation());
    house
});
