//! Transactions: commands queued, then run without anybody in between.

use crate::command::{Call, Command, Context, Flags};
use crate::dispatch;
use crate::fault::{Fault, Outcome};
use crate::value::Blob;

const UNQUEUED: Flags = Flags::UNQUEUED
    .and(Flags::NO_SCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::ALLOW_BUSY);

pub(super) const COMMANDS: &[Command] = &[
    Command::new("MULTI", "", multi)
        .fast()
        .flags(UNQUEUED)
        .since("1.2.0")
        .summary("Begins a transaction."),
    Command::new("EXEC", "", exec)
        .flags(
            Flags::UNQUEUED
                .and(Flags::NO_SCRIPT)
                .and(Flags::SKIP_SLOWLOG),
        )
        .always()
        .since("1.2.0")
        .complexity("Depends on the commands in the transaction.")
        .summary("Runs the transaction."),
    Command::new("DISCARD", "", discard)
        .fast()
        .flags(UNQUEUED)
        .since("2.0.0")
        .complexity("O(N) where N is the number of queued commands.")
        .summary("Drops the transaction."),
    Command::new("WATCH", "key [key ...]", watch)
        .fast()
        .flags(UNQUEUED)
        .keys(1, -1, 1)
        .access("RO")
        .since("2.2.0")
        .complexity("O(1) for every key.")
        .summary("Lets the next transaction run only if keys stay unchanged until then."),
    Command::new("UNWATCH", "", unwatch)
        .fast()
        .flags(
            Flags::NO_SCRIPT
                .and(Flags::LOADING)
                .and(Flags::STALE)
                .and(Flags::ALLOW_BUSY),
        )
        .since("2.2.0")
        .summary("Forgets watched keys."),
];

fn multi(call: &mut Call<'_>) -> Outcome {
    if call.client().transaction.is_some() {
        return Err(Fault::NESTED_MULTI);
    }
    call.state.begin(call.id);
    call.reply.ok();
    Ok(())
}

fn discard(call: &mut Call<'_>) -> Outcome {
    call.client_mut()
        .transaction
        .take()
        .ok_or(Fault::DISCARD_WITHOUT_MULTI)?;
    forget(call);
    call.reply.ok();
    Ok(())
}

fn forget(call: &mut Call<'_>) {
    call.state.unwatch(call.db.keyspace(), call.id);
}

fn exec(call: &mut Call<'_>) -> Outcome {
    let transaction = call
        .client_mut()
        .transaction
        .take()
        .ok_or(Fault::EXEC_WITHOUT_MULTI)?;
    let dirty = call.db.watch_dirty(call.id) || watched_key_expired(call);
    forget(call);
    if transaction.aborted {
        return Err(Fault::EXEC_ABORT);
    }
    if dirty {
        call.reply.null_array();
        return Ok(());
    }
    call.reply.array(transaction.queue.len());
    let bytes = transaction.queue.iter();
    let bytes = bytes.map(|(_, request)| request.memory_bytes()).sum();
    call.client_mut().executing = Some((transaction.queue.len(), bytes));
    for (_, request) in &transaction.queue {
        dispatch::run(call, &request.args(), Context::Transaction);
    }
    call.client_mut().executing = None;
    Ok(())
}

/// A watched key whose time ran out counts as changed though nothing has removed it yet.
fn watched_key_expired(call: &mut Call<'_>) -> bool {
    let watched = call.client().watched.clone();
    watched
        .iter()
        .any(|((db, key), before)| !before && call.db.other(*db).is_expired(key))
}

fn watch(call: &mut Call<'_>) -> Outcome {
    if call.client().transaction.is_some() {
        return Err(Fault::WATCH_IN_MULTI);
    }
    let db = call.db.index();
    for key in call.args.remaining() {
        let place = (db, Blob::from(*key));
        if call.client().watched.contains_key(&place) {
            continue;
        }
        call.db.keyspace().changes.watch.add(call.id, db, key);
        let expired = call.db.is_expired(key);
        call.client_mut().watched.insert(place, expired);
    }
    call.reply.ok();
    Ok(())
}

fn unwatch(call: &mut Call<'_>) -> Outcome {
    forget(call);
    call.reply.ok();
    Ok(())
}
