//! CRMs outside: the makes of [`postroom_core::Crm`] that speak to a Microsoft Dynamics server, and signing in to one.
//!
//! * [`webapi`]: the Web API of 2016 and later (OData 4 JSON).
//! * [`soap`]: the Organization service of 2011, which every generation has.
//! * [`sign_in`]: tokens and handshakes for every generation.
//! * [`outside`]: what every make tells beyond the port; [`probe`] tests a connection step by step with it.
//!
//! What is done in the same way whatever is spoken is written once: asking, repeating and paging in `client`, how the port's
//! promises are kept in `promises`. A make has the rest: `config`, `wire` (one request), and `port`, its words for the client.
//! What a server cannot do is a capability read when it is connected, with another way to the same promise.

mod client;
mod lanes;
pub mod outside;
pub mod probe;
mod promises;
mod refusal;
pub mod sign_in;
pub mod soap;
pub mod webapi;
