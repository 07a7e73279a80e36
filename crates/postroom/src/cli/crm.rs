//! `postroom crm …`: the CRM outside.

use clap::{Args, Subcommand};

/// The CRM outside.
#[derive(Debug, Subcommand)]
pub enum CrmCommand {
    /// List the organisations of the CRM's user, with their addresses
    Discover(DiscoverArgs),
}

/// `crm discover`
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// The discovery service to ask: ends with Discovery.svc, with .asmx (hosted, 2007), or is a global service [default: that
    /// of the server in crm.org_url]
    #[arg(long, value_name = "URL")]
    pub at: Option<String>,
}
