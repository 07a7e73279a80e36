//! The service's programs, and putting people into them.
//!
//! # Design
//!
//! * [`run`] reads the list of programs into the table `program`, for whoever chooses one.
//! * *Add to program* is a row of `esc_emailsinglesend` with `esc_isprogram`; the scan of sends finds it. [`enrol`] puts all
//!   people who wait for one program into one call, as an account has twenty calls in an hour. The gate is asked in the unit
//!   that writes the intent.
//! * Faults are read when the service has finished. A lost answer is looked for among the service's enrolments: one of the same
//!   people, made since, is the one; when there is none it stays *unknown*, and a person decides.

pub mod enrol;
mod follow;
mod row;

pub(crate) use follow::decided;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::{Ask, Program};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};

use crate::sync::cursor::{self, Cursor};
use crate::sync::{Halt, Turn};

/// The flow: the programs there are, then whoever waits for one.
///
/// # Errors
/// Those of the service and of the store.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    read(turn).await?;
    enrol::run(turn).await
}

async fn read(turn: &mut Turn) -> Result<(), Halt> {
    let (mut ask, mut programs) = (Ask::default(), Vec::new());
    loop {
        let page = turn.account.service.programs(&ask).await?;
        programs.extend(page.rows);
        match page.next {
            Some(next) => ask = ask.after(next),
            None => break,
        }
    }
    let (account, dry) = (turn.account.name.clone(), turn.dry);
    let stored = turn.page("marketing.programs_read", move |tx, counts| {
        async move {
            let mut cursor: Cursor<i64> = cursor::read(tx, &account, "programs").await?;
            cursor.place += 1;
            counts.read += programs.len() as u64;
            put(tx, &account, &programs, cursor.place).await?;
            counts.removed += leave(tx, &account, cursor.place).await?;
            if !dry {
                cursor.write(tx).await?;
            }
            Ok(())
        }
        .boxed()
    });
    Ok(stored.await?)
}

async fn put(tx: &mut Tx, account: &str, programs: &[Program], reading: i64) -> Result<(), Error> {
    let columns = ["account", "id", "name", "status", "created", "gone", "seen"];
    for program in programs {
        let mut delete = Query::delete();
        delete
            .from_table("program")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("id").eq(program.id.0));
        tx.execute(&delete).await?;
        let mut row = Insert::into("program", &columns);
        row.row([
            account.into(),
            program.id.0.into(),
            program.name.as_str().into(),
            program.status.as_str().into(),
            program.created.map(Timestamp::as_microsecond).into(),
            false.into(),
            reading.into(),
        ]);
        tx.insert(&row).await?;
    }
    Ok(())
}

async fn leave(tx: &mut Tx, account: &str, reading: i64) -> Result<u64, Error> {
    let mut update = Query::update();
    update
        .table("program")
        .value("gone", true)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("seen").ne(reading))
        .and_where(Expr::col("gone").eq(false));
    tx.execute(&update).await
}
