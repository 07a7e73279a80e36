//! Which folders a mailbox has, and where reading them begins.

use postroom_core::{Fault, Folder};

use super::super::account::{FolderName, FolderRule, Touch};
use super::super::client::Client;
use super::super::data::Listed;
use super::super::error::Error;
use super::super::folders::Tree;
use super::events;
use super::folder::{Begins, Keeper, Trouble};
use super::mailbox::Mailbox;
use super::mark::Mark;

impl Mailbox {
    /// Finds the folders; what was known of them stays known.
    pub(super) async fn resolve(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let tree = Tree::read(client, &self.watched.account).await?;
        let mut keepers: Vec<Keeper> = Vec::new();
        self.missing.clear();
        self.lacks_sent = false;
        for rule in self.watched.folders.clone() {
            match found(&tree, &rule) {
                Ok((listed, target)) => {
                    match keepers.iter_mut().find(|keeper| keeper.listed.wire == listed.wire) {
                        // Two names for one folder: the one that it is tied by counts.
                        Some(keeper) if rule.tied => {
                            (keeper.rule.folder, keeper.rule.tied) = (rule.folder, true);
                        }
                        Some(_) => {}
                        None => keepers.push(self.keeper(rule, listed, target)),
                    }
                }
                // A mailbox that has sent nothing yet may have no such folder; `probe` says so.
                Err(_) if rule.folder == FolderName::Sent && rule.touch == Touch::Nothing => {
                    self.lacks_sent = true;
                }
                Err(error) => {
                    events::FolderFailed { mailbox: &self.watched.name, error: &error }.emit();
                    self.missing.push(error);
                }
            }
        }
        self.keepers = keepers;
        if self.keepers.is_empty() {
            let none =
                Error::NoFolder { name: "to watch".into(), present: "no folder that is configured".into() };
            return Err(self.missing.pop().unwrap_or(none).into());
        }
        Ok(self.date().await?)
    }

    fn keeper(&mut self, rule: FolderRule, listed: Listed, target: Option<Listed>) -> Keeper {
        let place = Folder {
            mailbox: self.watched.name.clone(),
            server: self.watched.account.server(),
            name: listed.name.clone(),
        };
        let known = self.keepers.iter().position(|keeper| keeper.place == place);
        let mut keeper = match known {
            Some(index) => self.keepers.swap_remove(index),
            None => Keeper::new(place, listed.clone(), rule, None),
        };
        (keeper.listed, keeper.target) = (listed, target);
        keeper.reconnected();
        keeper
    }

    /// Tells the folders that turn up after the mailbox's first contact since when the mailbox is read: what came into
    /// them before they were seen is as new as all else.
    async fn date(&mut self) -> Result<(), Fault> {
        for keeper in self.keepers.iter_mut().filter(|keeper| keeper.known.is_none()) {
            keeper.known = self.desk.book.cursor(&keeper.place).await?;
        }
        let cursors = self.keepers.iter().filter_map(|keeper| keeper.known.as_ref());
        let since = cursors.filter_map(|cursor| Mark::parse(cursor.mark.as_deref()).since).min();
        // One that was there at the first contact, and whose turn did not come, stays what it was.
        for keeper in self.keepers.iter_mut().filter(|keeper| keeper.begins.is_none()) {
            keeper.begins = Some(since.map_or(Begins::WithMailbox, Begins::Late));
        }
        Ok(())
    }
}

fn found(tree: &Tree, rule: &FolderRule) -> Result<(Listed, Option<Listed>), Error> {
    let target = match &rule.touch {
        Touch::Move(name) => Some(tree.find(name)?.clone()),
        Touch::Nothing | Touch::MarkSeen => None,
    };
    Ok((tree.find(&rule.folder)?.clone(), target))
}
