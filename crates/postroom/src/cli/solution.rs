//! `postroom solution …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use postroom_marketing::solution::Era;

use super::globals::{DryRun, Yes};

/// The e-mail marketing solution: tables, roles, views, forms and buttons in the CRM.
#[derive(Debug, Subcommand)]
pub enum SolutionCommand {
    /// Write the solution as a file that a CRM imports
    Export(ExportSolutionArgs),
    /// Put the solution into the CRM; what is there of it stays
    Install(InstallSolutionArgs),
    /// Bring the solution in the CRM to this program's version; data stays
    Upgrade(InstallSolutionArgs),
    /// Say how the solution stands in the CRM
    Status(StatusSolutionArgs),
    /// Take the solution out of the CRM, with all its rows
    Uninstall(UninstallSolutionArgs),
}

/// Which generation of the CRM is meant.
#[derive(Debug, Args)]
pub struct Generation {
    /// The CRM's generation: 2011, 2013, 2015 (7.0), 2016 (7.1 and 8), 365 (9 and online)
    #[arg(long, value_name = "YEAR")]
    pub generation: Option<Era>,
}

/// `solution export`
#[derive(Debug, Args)]
pub struct ExportSolutionArgs {
    /// A managed file: it can be taken out of the CRM again whole
    #[arg(long)]
    pub managed: bool,
    #[command(flatten)]
    pub generation: Generation,
    /// Where to write; - is stdout [default: the name that the CRM would give it]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `solution install` and `solution upgrade`
#[derive(Debug, Args)]
pub struct InstallSolutionArgs {
    #[command(flatten)]
    pub generation: Generation,
    /// Work in the place of the connector whose mark the organisation bears
    #[arg(long)]
    pub take_over: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `solution status`
#[derive(Debug, Args)]
pub struct StatusSolutionArgs {
    #[command(flatten)]
    pub generation: Generation,
}

/// `solution uninstall`
#[derive(Debug, Args)]
pub struct UninstallSolutionArgs {
    /// Also when the organisation bears the mark of another connector
    #[arg(long)]
    pub take_over: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}
