//! What the port asks to have defined, or to have no longer: a lot is one unit, in which each is taken or refused by itself.
//! What is so already is left.

use postroom_core::{Definition, Drop, Fault, Outcome};

use super::draft::Draft;
use super::{Options, Problem, metadata};
use crate::Embedded;

use crate::rules::Refusal;
use crate::schema::Schema;

type Answers = Vec<Result<Outcome, Fault>>;

impl Embedded {
    pub(crate) async fn define_each(&self, definitions: Vec<Definition>) -> Answers {
        self.draft_each(definitions, define).await
    }

    pub(crate) async fn undefine_each(&self, drops: Vec<Drop>) -> Answers {
        self.draft_each(drops, undefine).await
    }

    async fn draft_each<T: Send + 'static>(
        &self,
        asked: Vec<T>,
        one: fn(&mut Draft<'_>, &T) -> Result<Outcome, Refusal>,
    ) -> Answers {
        let count = asked.len();
        let revised = self.revise(move |schema| {
            let mut draft = Draft::new(schema);
            let answers: Vec<_> = asked.iter().map(|asked| one(&mut draft, asked)).collect();
            Ok((draft.finish(), answers))
        });
        match revised.await {
            Ok(answers) => answers.into_iter().map(|answer| answer.map_err(Fault::from)).collect(),
            Err(failure) => {
                let fault = Fault::from(failure);
                let again = || Fault::new(fault.verdict, fault.code, fault.message.clone());
                (0..count).map(|_| Err(again())).collect()
            }
        }
    }
}

fn define(draft: &mut Draft<'_>, definition: &Definition) -> Result<Outcome, Refusal> {
    let made = match definition {
        Definition::OptionSet(set) => draft.create_option_set(set),
        Definition::Option { set, option } => {
            draft.insert_option(&Options::Global(set.clone()), option.value, &option.label, None)
        }
        Definition::Table(table) => draft.create_tables(std::slice::from_ref(&**table)),
        Definition::Column { table, column } => draft.add_column(table, column),
        Definition::Widen { .. } if there(draft.schema(), definition) => return Ok(Outcome::Unchanged),
        Definition::Widen { table, column } => {
            return draft.update_column(table, column).map(|()| Outcome::Updated);
        }
        Definition::Lookup { relation, column } => {
            draft.create_lookup(std::slice::from_ref(relation), column)
        }
        Definition::ManyToMany(pairs) => draft.create_pairs(pairs),
        Definition::Key { table, key } => draft.create_key(table, key),
    };
    match made {
        Ok(()) => Ok(Outcome::Created),
        // What has the name and is something else stays a refusal.
        Err(Refusal::Definition(Problem::Taken { .. })) if there(draft.schema(), definition) => {
            Ok(Outcome::Unchanged)
        }
        Err(refusal) => Err(refusal),
    }
}

fn there(schema: &Schema, definition: &Definition) -> bool {
    definition.is_in(&metadata(schema))
}

fn undefine(draft: &mut Draft<'_>, drop: &Drop) -> Result<Outcome, Refusal> {
    let gone = match drop {
        Drop::Relationship(name) => draft.delete_relationship(name),
        Drop::Column { table, column } => draft.delete_column(table, column),
        Drop::Table(name) => draft.delete_table(name),
        Drop::OptionSet(name) => draft.delete_option_set(name),
    };
    match gone {
        Ok(()) => Ok(Outcome::Deleted),
        Err(Refusal::Definition(Problem::Missing { .. }) | Refusal::NotFound(_)) => Ok(Outcome::Unchanged),
        Err(refusal) => Err(refusal),
    }
}
