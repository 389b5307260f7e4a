//! How a command runs: its handler is called, its fault answered, and the books brought up to date.

use arrayvec::ArrayVec;

use crate::accounting::Charged;
use crate::args::Args;
use crate::command::{Call, Commands, Context, Flags, Registered};
use crate::ids::ClientId;
use crate::keyspace::{self, Ahead, Keyspace};
use crate::reply::Reply;
use crate::state::State;
use crate::time::Now;

/// Keys of one call that are hashed, and read ahead for, before it runs.
const HASHED_KEYS: usize = 32;

/// Who calls, when and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) id: ClientId,
    pub(crate) now: Now,
    pub(crate) context: Context,
    /// The hash of the call's first key, where that is known.
    pub(crate) key_hash: Option<u64>,
}

/// Runs another command of the same client into the same reply (EXEC, scripts); it is not gated but for its arity.
pub(crate) fn run(call: &mut Call<'_>, args: &[&[u8]], context: Context) {
    let caller = Caller {
        id: call.id,
        now: call.now,
        context,
        key_hash: None,
    };
    run_by_name(
        call.commands,
        call.db.keyspace(),
        call.state,
        args,
        &mut call.reply,
        caller,
    );
}

/// Runs the command that `args` name.
pub(crate) fn run_by_name(
    commands: &'static Commands,
    keyspace: &mut Keyspace,
    state: &mut State,
    args: &[&[u8]],
    reply: &mut Reply<'_>,
    caller: Caller,
) {
    let found = commands.resolve(args).and_then(|found| {
        found.check_arity(args)?;
        Ok(found)
    });
    match found {
        Ok(found) => invoke(commands, keyspace, state, found, args, reply, caller),
        Err(fault) => reply.error(&fault),
    }
}

/// Runs a handler: its reply, or its fault instead; then the books are brought up to date.
pub(crate) fn invoke(
    commands: &'static Commands,
    keyspace: &mut Keyspace,
    state: &mut State,
    registered: &'static Registered,
    args: &[&[u8]],
    reply: &mut Reply<'_>,
    caller: Caller,
) {
    let Caller {
        id,
        now,
        context,
        key_hash,
    } = caller;
    let shares_reading = state.shares_reading(registered, args);
    if !shares_reading {
        state.end_stride();
    }
    let begun_us = state.begin_us(now);
    keyspace.changes.origin = Some(id);
    let mark = reply.mark();
    let dirty = keyspace.changes.dirty;
    let client = state.clients.at(id);
    let index = client.db;
    keyspace.keeps_access = client.no_touch && registered.command.name != "TOUCH";
    let (one, many);
    let known = if let Some((first, step)) = registered.many_keys.filter(|_| args.len() > 3) {
        many = hashed(args.iter().skip(first).step_by(step));
        keyspace.warm(index, &many);
        &many[..]
    } else if let Some((hash, position)) = key_hash.zip(registered.first_key) {
        one = [Ahead {
            key: args.get(position).copied().unwrap_or_default(),
            hash,
            ..Ahead::default()
        }];
        &one[..]
    } else {
        &[]
    };
    let mut call = Call {
        args: Args::new(args, registered.words),
        reply: reply.reborrow(),
        db: keyspace.database(index, now).knowing(known),
        state,
        id,
        now,
        command: registered,
        commands,
        context,
    };
    let outcome = (registered.command.handler)(&mut call);
    let protocol = call.reply.protocol();
    reply.set_protocol(protocol);
    if let Err(fault) = &outcome {
        reply.cut(mark);
        reply.error(fault);
    }
    keyspace.settle();
    let changed = keyspace.changes.dirty != dirty;
    if state.effects.is_attached() {
        for (db, key) in keyspace.changes.vanished.drain(..) {
            state.effects.add(db, &[b"DEL", &key]);
        }
        state
            .effects
            .end_command(index, args, changed && registered.has(Flags::WRITE));
    }
    if state.monitors > 0
        && context != Context::Retry
        && !registered.has(Flags::SKIP_MONITOR.and(Flags::ADMIN))
    {
        state.feed_monitors(id, registered, args, context, now);
    }
    if state.tracking.clients > 0 {
        state.invalidate(&mut keyspace.changes);
        state.remember_keys(id, registered, args, context);
    }
    let waits = match context {
        Context::Retry => state.blocked.waits_on(),
        _ => state.clients.at(id).waiting.is_some(),
    };
    if !waits {
        state.stats.called(registered.id, outcome.as_ref().err());
        let call = Charged {
            id,
            registered,
            args,
            reply_bytes: reply.len_since(mark),
            shares_reading,
            now,
        };
        state.charge(begun_us, &call);
    }
}

/// The first of a call's keys with their hashes.
fn hashed<'k>(keys: impl Iterator<Item = &'k &'k [u8]>) -> ArrayVec<Ahead<'k>, HASHED_KEYS> {
    let hashed = |key: &&'k [u8]| Ahead {
        key,
        hash: keyspace::hash(key),
        ..Ahead::default()
    };
    keys.take(HASHED_KEYS).map(hashed).collect()
}
