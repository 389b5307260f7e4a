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
use crate::value::Id;

/// Keys of one call that are hashed, and read ahead for, before it runs.
const HASHED_KEYS: usize = 32;

/// Who calls, when and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) id: ClientId,
    pub(crate) now: Now,
    pub(crate) context: Context,
    /// The hash of the call's first key, and where that probably is.
    pub(crate) first_key: Option<(u64, Id)>,
}

/// Runs another command of the same client into the same reply (EXEC, scripts); it is not gated but for its arity.
pub(crate) fn run(call: &mut Call<'_>, args: &[&[u8]], context: Context) {
    let caller = Caller {
        id: call.id,
        now: call.now,
        context,
        first_key: None,
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
    let what = (commands, registered, args);
    if registered.many_keys.is_some() && args.len() > 3 {
        return invoke_with_many_keys(what, keyspace, state, reply, caller);
    }
    let one;
    let known = match caller.first_key.zip(registered.first_key) {
        Some(((hash, id), position)) => {
            one = [Ahead {
                key: args.get(position).copied().unwrap_or_default(),
                hash,
                id,
                ..Ahead::default()
            }];
            &one[..]
        }
        None => &[],
    };
    perform(what, known, keyspace, state, reply, caller);
}

/// What is called: by which table, the command, with which arguments.
type What<'a> = (&'static Commands, &'static Registered, &'a [&'a [u8]]);

/// Looks all of the keys up together.
#[inline(never)]
fn invoke_with_many_keys(
    what: What<'_>,
    keyspace: &mut Keyspace,
    state: &mut State,
    reply: &mut Reply<'_>,
    caller: Caller,
) {
    let (_, registered, args) = what;
    let (first, step) = registered.many_keys.unwrap_or((1, 1));
    let mut many = hashed(args.iter().skip(first).step_by(step));
    keyspace.warm(state.clients.at(caller.id).db, &mut many);
    perform(what, &many, keyspace, state, reply, caller);
}

/// [`invoke`] for a call some of whose keys are known.
#[inline]
fn perform(
    (commands, registered, args): What<'_>,
    known: &[Ahead<'_>],
    keyspace: &mut Keyspace,
    state: &mut State,
    reply: &mut Reply<'_>,
    caller: Caller,
) {
    let Caller {
        id, now, context, ..
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
    if state.is_observed() {
        let changed = keyspace.changes.dirty != dirty;
        observed(
            (commands, registered, args),
            keyspace,
            state,
            caller,
            index,
            changed,
        );
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

/// Tells those who follow what clients do: the stream of effects, monitors, whoever tracks keys.
#[cold]
fn observed(
    (_, registered, args): What<'_>,
    keyspace: &mut Keyspace,
    state: &mut State,
    caller: Caller,
    index: usize,
    changed: bool,
) {
    let Caller {
        id, now, context, ..
    } = caller;
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
