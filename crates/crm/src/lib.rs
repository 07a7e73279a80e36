//! CRMs outside: the makes of [`postroom_core::Crm`] that speak to a Microsoft Dynamics server, and signing in to one.
//!
//! * [`webapi`]: the Web API of 2016 and later (OData 4 JSON).
//! * [`sign_in`]: tokens and handshakes for every generation.
//! * [`outside`]: what every make tells beyond the port; [`probe`] tests a connection step by step with it.
//!
//! Each make has the same rooms: `config`, `auth`, `wire` and `client` (one request), `port` (domain calls in terms of the
//! client). What a server cannot do is a capability read when it is connected, with another way to the same promise.

pub mod outside;
pub mod probe;
pub mod sign_in;
pub mod webapi;
