//! Campaigns. Source: dotdigital.md A16.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::Report;

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CampaignStatus {
    #[default]
    Unsent,
    Sending,
    Sent,
    Triggered,
}

impl CampaignStatus {
    pub fn word(self) -> &'static str {
        match self {
            CampaignStatus::Unsent => "Unsent",
            CampaignStatus::Sending => "Sending",
            CampaignStatus::Sent => "Sent",
            CampaignStatus::Triggered => "Triggered",
        }
    }
}

/// What decides a split test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Metric {
    #[default]
    Opens,
    Clicks,
    #[serde(rename = "ROI")]
    Roi,
}

impl Metric {
    pub fn word(self) -> &'static str {
        match self {
            Metric::Opens => "Opens",
            Metric::Clicks => "Clicks",
            Metric::Roi => "ROI",
        }
    }
}

/// One version of a campaign; a plain campaign has one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub subject: String,
    pub from_name: String,
    pub from_address: String,
    pub html: String,
    pub text: String,
}

/// A campaign.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Campaign {
    pub id: i32,
    pub name: String,
    /// Not empty.
    pub versions: Vec<Version>,
    pub reply_action: String,
    pub reply_to: Option<String>,
    pub custom_reply_to: Option<String>,
    pub status: CampaignStatus,
    pub tags: Vec<String>,
    pub sent: Option<Timestamp>,
    pub scheduled: Option<Timestamp>,
    pub metric: Metric,
    pub winner: Option<u8>,
    /// Lists that it went to.
    pub sent_to: BTreeSet<i32>,
    pub report: Report,
}

impl Campaign {
    pub fn is_split(&self) -> bool {
        self.versions.len() > 1
    }

    /// The version that stands for the campaign.
    pub fn main(&self) -> &Version {
        let version = self.versions.get(usize::from(self.winner.unwrap_or(0)));
        version.or_else(|| self.versions.first()).expect("a campaign is made with a version")
    }

    pub fn triggered(&self) -> bool {
        self.status == CampaignStatus::Triggered
    }

    /// What the metric counts for a version.
    pub fn result(&self, version: u8) -> u32 {
        let rows = self.report.recipients.iter().filter(|row| row.version == version);
        match self.metric {
            Metric::Opens => rows.filter(|row| row.opens > 0).count() as u32,
            Metric::Clicks => rows.filter(|row| row.clicks > 0).count() as u32,
            Metric::Roi => {
                let bought = |contact| self.report.roi.all().iter().any(|row| row.contact == contact);
                rows.filter(|row| bought(row.contact)).count() as u32
            }
        }
    }
}
