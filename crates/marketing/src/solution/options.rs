//! The choices of the solution: global option sets (marketing-entities.md 5).
//!
//! Values are the publisher's prefix × 10,000 and the place in the list, so **the order never changes**: new options go to
//! the end. Words that the service's API has are spelled as it spells them, so that they can be looked up.

use super::OPTION_PREFIX;

/// The sets whose values live in the CRM.
macro_rules! sets {
    ($($(#[$doc:meta])* $set:ident $name:literal $label:literal [$($option:literal),+ $(,)?])+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Set { $($(#[$doc])* $set,)+ }

        impl Set {
            pub const ALL: &[Set] = &[$(Set::$set),+];

            /// Its name, `esc_` included.
            pub fn name(self) -> &'static str {
                match self { $(Set::$set => concat!("esc_", $name)),+ }
            }

            pub fn label(self) -> &'static str {
                match self { $(Set::$set => $label),+ }
            }

            /// The labels of its options, in the order of their values.
            pub fn options(self) -> &'static [&'static str] {
                match self { $(Set::$set => &[$($option),+]),+ }
            }
        }
    };
}

sets! {
    /// What kind of record a row is about.
    RecordType "recordtype" "Record Type" ["Contact", "Lead", "Account"]
    Region "region" "Region" ["r1", "r2", "r3"]
    DataType "datatype" "Data Type" ["String", "Numeric", "Date", "Boolean", "Unknown"]
    Visibility "visibility" "Visibility" ["Private", "Public"]
    MapDirection "mapdirection" "Mapping Direction" ["From CRM", "To CRM", "Two-way"]
    EmptyRule "emptyrule" "Empty Value Rule" ["Send blank", "Keep remote value"]
    ChoiceFormat "choiceformat" "Choice Format" ["Label", "Value"]
    ReplyAction "replyaction" "Reply Action" ["Unset", "WebMailForward", "Webmail", "Delete", "Unknown"]
    CampaignType "campaigntype" "Campaign Type" ["Standard", "New Member", "Triggered", "Template", "AiTemplate"]
    CampaignStatus "campaignstatus" "Campaign Status" [
        "Unsent", "Sending", "Sent", "Paused", "Cancelled", "RequiresSystemApproval", "RequiresSMSApproval",
        "RequiresWorkflowApproval", "Triggered", "Unknown",
    ]
    SendState "sendstate" "Send State" ["Created", "Send In Progress", "Send Complete", "Send Failed"]
    SendStatus "sendstatus" "Send Status" [
        "Draft", "Requested", "Preparing", "Importing recipients", "Submitting", "NotSent", "Scheduled", "Sending",
        "Sent", "Cancelled", "Failed", "Needs attention", "Paused", "Awaiting approval",
    ]
    SendType "sendtype" "Send Type" ["Campaign Send", "New Member", "Single", "External"]
    SplitMetric "splitmetric" "Split Test Metric" ["Opens", "Clicks", "ROI"]
    /// Also why an address is suppressed or off a list.
    ContactStatus "contactstatus" "Contact Status" [
        "Subscribed", "Unsubscribed", "SoftBounced", "HardBounced", "IspComplained", "MailBlocked", "PendingOptIn",
        "DirectComplaint", "Deleted", "SharedSuppression", "Suppressed", "NotAllowed", "DomainSuppression",
        "NoMxRecord", "Unknown",
    ]
    /// In the order of their weight: an opt-in type is only raised.
    OptIn "optintype" "Opt-in Type" ["Unknown", "Single", "Double", "VerifiedDouble"]
    QueueStatus "queuestatus" "Queue Status" ["Pending", "InProgress", "Complete", "Failed", "Dead"]
    MessageType "messagetype" "Message Type" [
        "SendEmailCampaign", "SendSplitEmailCampaign", "SendNewMemberCampaign", "SynchroniseEmailCampaign",
        "SynchroniseEmailAddressBook", "SynchroniseEmailAccount", "SynchroniseAllEmailCampaignHeaders", "Single send",
        "Sync suppressions", "Sync forms",
    ]
    ListSyncStatus "listsyncstatus" "List Sync Status" [
        "Not linked", "Synced To Email Service", "Synced From Email Service", "Linked with Email Service",
        "Error - Not Found in Email Service", "Sync Error", "Error - name reserved",
    ]
    MemberSyncStatus "membersyncstatus" "Member Sync Status" [
        "None", "In Progress", "Import In Progress", "Sync Complete", "Failed", "Completed with rejects",
    ]
    MembershipAction "membershipaction" "Membership Action" [
        "Ignore service members not in this list", "Remove service members not in this list",
        "Allow only known records to be added", "Create unknown as new record",
    ]
    OnSuppress "onsuppress" "On Suppression" ["Do nothing", "Set donotbulkemail", "Set donotemail", "Set both"]
    ProgramAccess "programaccess" "Program Access" ["Disabled", "Managers only", "All roles"]
    ConnectionStatus "connectionstatus" "Connection Status" [
        "Connected", "Bad credentials", "Wrong region", "Unreachable", "Disabled",
    ]
    Origin "origin" "Origin" ["CRM", "Dotdigital", "Import"]
    BlockReason "blockreason" "Block Reason" [
        "No e-mail", "Do not e-mail", "Suppressed", "Unsubscribed from list", "Duplicate", "Already sent", "Invalid",
        "Not synced",
    ]
    FormState "formstate" "Form State" [
        "Active", "Inactive", "Pending", "Expired", "SurveyFeatureDisabled", "Unknown",
    ]
    SubmissionMode "submissionmode" "Submission Mode" ["Unlimited", "Single", "Unknown"]
    MatchResult "matchresult" "Match Result" ["Matched one", "Matched many", "Created", "Unmatched", "Ambiguous"]
    LogLevel "loglevel" "Log Level" ["Off", "Fatal", "Error", "Warning", "Info", "Debug", "All"]
}

impl Set {
    /// The value of the option with this label.
    pub fn value(self, label: &str) -> Option<i32> {
        let place = self.options().iter().position(|option| *option == label)?;
        i32::try_from(place).ok().map(|place| OPTION_PREFIX * 10_000 + place)
    }

    /// The label of a value of this set.
    pub fn option(self, value: i32) -> Option<&'static str> {
        let place = value.checked_sub(OPTION_PREFIX * 10_000)?;
        self.options().get(usize::try_from(place).ok()?).copied()
    }

    /// The value of what the service says, or of `Unknown` where the set has it: a word that nobody knows yet is no error.
    pub fn of_service(self, word: &str) -> Option<i32> {
        let known = self.options().iter().find(|option| option.eq_ignore_ascii_case(word));
        self.value(known.copied().unwrap_or("Unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_labels_go_both_ways() {
        for set in Set::ALL {
            for label in set.options() {
                let value = set.value(label).unwrap();
                assert_eq!(set.option(value), Some(*label), "{set:?}");
            }
        }
        assert_eq!(Set::SendStatus.value("Requested"), Some(272_030_001));
        assert_eq!(Set::SendStatus.option(1), None);
        assert_eq!(Set::SendStatus.option(i32::MIN), None);
    }

    #[test]
    fn unknown_words_of_the_service() {
        let status = Set::ContactStatus;
        assert_eq!(status.of_service("hardbounced"), status.value("HardBounced"));
        assert_eq!(status.of_service("NotAvailableInThisVersion"), status.value("Unknown"));
        assert_eq!(Set::Origin.of_service("somewhere"), None);
    }
}
