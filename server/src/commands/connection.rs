//! Commands on the client's own connection, and on other clients.

use resp::Protocol;

use super::tracking;
use crate::args::parse_i64;
use crate::client_state::{Client, ReplyMode};
use crate::command::{Call, Command, Context, Flags};
use crate::fault::{Fault, Outcome};
use crate::state::Pause;
use crate::value::Blob;

const ALWAYS_ALLOWED: Flags = Flags::NO_AUTH.and(Flags::NO_SCRIPT).and(Flags::ALLOW_BUSY);

pub(super) const COMMANDS: &[Command] = &[
    Command::new("PING", "[message]", ping)
        .fast()
        .flags(Flags::SUBSCRIBED)
        .tips("request_policy:all_shards response_policy:all_succeeded")
        .summary("Answers PONG, or the message."),
    Command::new("ECHO", "message", echo)
        .fast()
        .always()
        .summary("Answers the message."),
    Command::new(
        "HELLO",
        "arguments=[protover [AUTH username password] [SETNAME clientname]]",
        hello,
    )
    .fast()
    .always()
    .flags(ALWAYS_ALLOWED.and(Flags::SENSITIVE))
    .since("6.0.0")
    .summary("Chooses the protocol version and describes the server."),
    Command::new("AUTH", "[username]@6.0.0 password", auth)
        .fast()
        .always()
        .flags(ALWAYS_ALLOWED.and(Flags::SENSITIVE))
        .summary("Authenticates the connection."),
    Command::new("SELECT", "index", select)
        .fast()
        .always()
        .summary("Changes the selected database."),
    Command::new("QUIT", "", quit)
        .fast()
        .always()
        .arity(-1)
        .flags(ALWAYS_ALLOWED.and(Flags::SUBSCRIBED).and(Flags::UNQUEUED))
        .summary("Closes the connection."),
    Command::new("RESET", "", reset)
        .fast()
        .always()
        .flags(ALWAYS_ALLOWED.and(Flags::SUBSCRIBED).and(Flags::UNQUEUED))
        .since("6.2.0")
        .summary("Makes the connection as new."),
    Command::container("CLIENT", CLIENT)
        .since("2.4.0")
        .summary("A container for commands on clients."),
];

const CLIENT: &[Command] = &[
    client("ID", "", client_id).since("5.0.0").summary("The client's number."),
    client("INFO", "", client_info)
        .since("6.2.0")
        .tips("nondeterministic_output")
        .summary("The client's line of CLIENT LIST."),
    client("LIST", "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>]@5.0.0 [ID client-id [client-id ...]]@6.2.0", client_list)
        .admin()
        .since("2.4.0")
        .complexity("O(N) where N is the number of client connections")
        .tips("nondeterministic_output")
        .summary("A line for each client."),
    client("GETNAME", "", client_getname).since("2.6.9").summary("The client's name."),
    client("SETNAME", "connection-name", client_setname).since("2.6.9").summary("Names the client."),
    client("SETINFO", "<LIB-NAME libname | LIB-VER libver>", client_setinfo)
        .since("7.2.0")
        .summary("Names the client's library."),
    client(
        "KILL",
        "filter=<ip:port | new-format=<[ID client-id]@2.8.12 | \
         [TYPE normal_master_slave_pubsub=<NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB>]@2.8.12 | \
         [USER username] | [ADDR ip:port] | [LADDR ip:port]@6.2.0 | [SKIPME yes/no=<YES | NO>] | \
         [MAXAGE maxage]@7.4.0> ...>",
        client_kill,
    )
    .arity(-3)
    .admin()
    .since("2.4.0")
    .complexity("O(N) where N is the number of client connections")
    .summary("Closes other connections."),
    client("REPLY", "<ON | OFF | SKIP>", client_reply).since("3.2.0").summary("Turns replies off and on."),
    client("PAUSE", "timeout=integer mode=[WRITE | ALL]@6.2.0", client_pause)
        .admin()
        .since("2.9.50")
        .summary("Keeps commands waiting for some milliseconds."),
    client("UNPAUSE", "", client_unpause).admin().since("6.2.0").summary("Ends a pause."),
    client("UNBLOCK", "client-id [TIMEOUT | ERROR]", client_unblock)
        .admin()
        .since("5.0.0")
        .complexity("O(log N) where N is the number of client connections")
        .summary("Ends the wait of a blocked client."),
    client("NO-EVICT", "enabled=<ON | OFF>", client_no_evict)
        .admin()
        .since("7.0.0")
        .summary("Spares the client when clients take too much memory."),
    client("NO-TOUCH", "enabled=<ON | OFF>", client_no_touch)
        .since("7.2.0")
        .summary("Leaves access clocks alone in the client's commands."),
    client(
        "TRACKING",
        "status=<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
        tracking::tracking,
    )
    .arity(-3)
    .since("6.0.0")
    .summary("Turns client-side caching on and off."),
    client("CACHING", "mode=<YES | NO>", tracking::caching)
        .since("6.0.0")
        .summary("Says whether the next command's keys are tracked."),
    client("GETREDIR", "", tracking::getredir)
        .since("6.0.0")
        .summary("The client that gets this one's invalidations."),
    client("TRACKINGINFO", "", tracking::trackinginfo)
        .since("6.2.0")
        .summary("How the client tracks keys."),
    Command::new("HELP", "", client_help)
        .always()
        .since("5.0.0").summary("Explains the subcommands."),
];

const fn client(
    name: &'static str,
    usage: &'static str,
    handler: crate::command::Handler,
) -> Command {
    Command::new(name, usage, handler).no_script().always()
}

fn ping(call: &mut Call<'_>) -> Outcome {
    let message = call.args.pop();
    if !call.args.is_empty() {
        return Err(Fault::wrong_arity("ping"));
    }
    if call.client().is_subscriber_only() {
        call.reply.array(2);
        call.reply.bulk("pong");
        call.reply.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        Some(message) => call.reply.bulk(message),
        None => call.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>) -> Outcome {
    let message = call.args.next_bytes()?;
    call.reply.bulk(message);
    Ok(())
}

fn hello(call: &mut Call<'_>) -> Outcome {
    let mut protocol = call.client().protocol;
    if let Some(version) = call.args.pop() {
        protocol = match parse_i64(version).ok_or(Fault::PROTOCOL_NOT_INTEGER)? {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(Fault::NO_PROTO),
        };
    }
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = call.args.peek() {
        if call.args.len() >= 3 && call.args.keyword("AUTH") {
            credentials = Some((call.args.next_bytes()?, call.args.next_bytes()?));
        } else if call.args.len() >= 2 && call.args.keyword("SETNAME") {
            name = Some(valid_name(call.args.next_bytes()?)?);
        } else {
            return Err(Fault::hello_syntax(option));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(call, user, password)?;
    } else if !call.client().authenticated {
        return Err(Fault::HELLO_NO_AUTH);
    }
    let client = call.client_mut();
    client.protocol = protocol;
    if let Some(name) = name {
        client.name = name;
    }
    let id = client.id.number();
    call.reply.set_protocol(protocol);
    let reply = &mut call.reply;
    reply.map(7);
    reply.bulk("server");
    reply.bulk("redis");
    reply.bulk("version");
    reply.bulk(crate::REDIS_VERSION);
    reply.bulk("proto");
    reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk("id");
    reply.integer(id as i64);
    reply.bulk("mode");
    reply.bulk("standalone");
    reply.bulk("role");
    reply.bulk("master");
    reply.bulk("modules");
    reply.array(0);
    Ok(())
}

fn auth(call: &mut Call<'_>) -> Outcome {
    let first = call.args.next_bytes()?;
    let second = call.args.pop();
    call.args.finish()?;
    if second.is_none() && call.state.config.requirepass.is_empty() {
        return Err(Fault::NO_PASSWORD_SET);
    }
    let (user, password) = second.map_or((&b"default"[..], first), |password| (first, password));
    authenticate(call, user, password)?;
    call.reply.ok();
    Ok(())
}

fn authenticate(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let wanted = &call.state.config.requirepass;
    let known = user == b"default";
    if !known || !(wanted.is_empty() || equal_in_constant_time(wanted, password)) {
        return Err(Fault::WRONG_PASSWORD);
    }
    call.client_mut().authenticated = true;
    Ok(())
}

/// Compares without telling by its time where the first difference is, nor the secret's length.
fn equal_in_constant_time(secret: &[u8], given: &[u8]) -> bool {
    let mut difference = u8::from(secret.len() != given.len());
    for (index, byte) in given.iter().enumerate() {
        let other = secret
            .get(index % secret.len().max(1))
            .copied()
            .unwrap_or_default();
        difference |= byte ^ other;
    }
    difference == 0
}

fn select(call: &mut Call<'_>) -> Outcome {
    let index = call.args.next_i32()?;
    let index = usize::try_from(index)
        .ok()
        .filter(|index| *index < call.db.keyspace().databases());
    call.client_mut().db = index.ok_or(Fault::DB_OUT_OF_RANGE)?;
    call.reply.ok();
    Ok(())
}

fn quit(call: &mut Call<'_>) -> Outcome {
    call.client_mut().closing = true;
    call.reply.ok();
    Ok(())
}

fn reset(call: &mut Call<'_>) -> Outcome {
    let id = call.id;
    call.state.unwatch(call.db.keyspace(), id);
    call.state.unsubscribe_all(id);
    call.state.set_monitor(id, false);
    call.state.untrack(id);
    let authenticated = call.state.config.requirepass.is_empty();
    let client = call.client_mut();
    client.transaction = None;
    client.db = 0;
    client.protocol = Protocol::Resp2;
    client.authenticated = authenticated;
    client.name = Blob::new();
    client.reply_mode = ReplyMode::On;
    client.no_evict = false;
    client.no_touch = false;
    call.reply.set_protocol(Protocol::Resp2);
    call.reply.simple("RESET");
    Ok(())
}

fn client_id(call: &mut Call<'_>) -> Outcome {
    call.reply.integer(call.id.number() as i64);
    Ok(())
}

fn client_info(call: &mut Call<'_>) -> Outcome {
    let line = line(call, call.client());
    call.reply.verbatim(line);
    Ok(())
}

fn client_list(call: &mut Call<'_>) -> Outcome {
    let (mut class, mut ids) = (None, None);
    if call.args.keyword("TYPE") {
        class = Some(class_of(call.args.next_bytes()?)?);
    } else if call.args.len() > 1 && call.args.keyword("ID") {
        let mut wanted = Vec::new();
        while let Some(id) = call.args.pop() {
            wanted.push(parse_i64(id).ok_or(Fault::INVALID_CLIENT_ID)? as u64);
        }
        ids = Some(wanted);
    }
    call.args.finish()?;
    let mut text = String::new();
    for client in call.state.clients.sorted() {
        let wanted = class.is_none_or(|class| class == class_name(client))
            && ids
                .as_ref()
                .is_none_or(|ids: &Vec<u64>| ids.contains(&client.id.number()));
        if wanted {
            text.push_str(&line(call, client));
        }
    }
    call.reply.verbatim(text);
    Ok(())
}

fn class_of(name: &[u8]) -> Result<&'static str, Fault> {
    match name.to_ascii_lowercase().as_slice() {
        b"normal" => Ok("normal"),
        b"pubsub" => Ok("pubsub"),
        b"master" => Ok("master"),
        b"slave" | b"replica" => Ok("replica"),
        _ => Err(Fault::unknown_client_type(name)),
    }
}

fn class_name(client: &Client) -> &'static str {
    if client.subscriptions.is_any() {
        "pubsub"
    } else {
        "normal"
    }
}

/// One line of CLIENT LIST.
fn line(call: &Call<'_>, client: &Client) -> String {
    let seconds = |since: u64| call.now.monotonic_us.saturating_sub(since) / 1_000_000;
    let queued = client.queued();
    let (queued, queued_bytes) = queued.map_or((-1, 0), |(count, bytes)| (count as i64, bytes));
    // The request that runs is counted as still unread, as in Redis, which parses it where it lies.
    let own = client.id == call.id && call.context == Context::Client;
    let query_bytes = client.query_bytes
        + if own {
            resp::request_len(call.args.all())
        } else {
            0
        };
    let redirect = client.tracker.as_ref().map_or(-1, |tracker| {
        tracker.redirect.map_or(0, |id| id.number() as i64)
    });
    let output_bytes = client.output_bytes;
    format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={queued} \
         qbuf={query_bytes} qbuf-free=0 argv-mem=0 multi-mem={queued_bytes} rbs=16384 rbp=0 obl={output_bytes} oll=0 omem={} \
         tot-mem={} events=r cmd={} user={} redir={redirect} resp={} lib-name={} lib-ver={}\n",
        client.id.number(),
        client.peer.address,
        client.peer.local_address,
        client.peer.descriptor,
        String::from_utf8_lossy(&client.name),
        seconds(client.connected_us),
        seconds(client.active_us),
        client.flags(call.db.watch_dirty(client.id)),
        client.db,
        client.subscriptions.channels.len(),
        client.subscriptions.patterns.len(),
        client.subscriptions.shard_channels.len(),
        client.output_bytes + client.outbox.len(),
        client.memory_bytes(),
        client
            .last_command
            .map_or("NULL", |command| &call.commands.at(command).name),
        String::from_utf8_lossy(&client.user),
        if client.protocol == Protocol::Resp3 {
            3
        } else {
            2
        },
        String::from_utf8_lossy(&client.library_name),
        String::from_utf8_lossy(&client.library_version),
    )
}

fn client_getname(call: &mut Call<'_>) -> Outcome {
    let name = call.client().name.clone();
    call.reply.bulk_or_null((!name.is_empty()).then_some(name));
    Ok(())
}

/// A name that can't break the lines of CLIENT LIST.
fn valid_name(name: &[u8]) -> Result<Blob, Fault> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        Ok(Blob::from(name))
    } else {
        Err(Fault::BAD_CLIENT_NAME)
    }
}

fn client_setname(call: &mut Call<'_>) -> Outcome {
    let name = valid_name(call.args.next_bytes()?)?;
    call.client_mut().name = name;
    call.reply.ok();
    Ok(())
}

fn client_setinfo(call: &mut Call<'_>) -> Outcome {
    let option = call.args.next_bytes()?;
    let value = call.args.next_bytes()?;
    let name = match option.to_ascii_lowercase().as_slice() {
        b"lib-name" => "lib-name",
        b"lib-ver" => "lib-ver",
        _ => return Err(Fault::unrecognized_option(option)),
    };
    let value = valid_name(value).map_err(|_| Fault::bad_client_info(name))?;
    let client = call.client_mut();
    if name == "lib-name" {
        client.library_name = value;
    } else {
        client.library_version = value;
    }
    call.reply.ok();
    Ok(())
}

#[derive(Default)]
struct KillFilter {
    id: Option<u64>,
    class: Option<&'static str>,
    user: Option<Vec<u8>>,
    address: Option<Vec<u8>>,
    local_address: Option<Vec<u8>>,
    max_age_s: Option<u64>,
    skip_me: bool,
}

fn client_kill(call: &mut Call<'_>) -> Outcome {
    if call.args.len() == 1 {
        let address = call.args.next_bytes()?;
        let found = call
            .state
            .clients
            .iter()
            .find(|client| client.peer.address.as_bytes() == address);
        let id = found.map(|client| client.id).ok_or(Fault::NO_SUCH_CLIENT)?;
        call.state.kill(call.db.keyspace(), id, call.id);
        call.reply.ok();
        return Ok(());
    }
    let filter = kill_filter(call)?;
    let now_us = call.now.monotonic_us;
    let matches = |client: &&Client| {
        let age_s = now_us.saturating_sub(client.connected_us) / 1_000_000;
        filter.id.is_none_or(|id| id == client.id.number())
            && filter.class.is_none_or(|class| class == class_name(client))
            && filter
                .user
                .as_ref()
                .is_none_or(|user| **user == *client.user)
            && filter
                .address
                .as_ref()
                .is_none_or(|address| **address == *client.peer.address.as_bytes())
            && filter
                .local_address
                .as_ref()
                .is_none_or(|local| **local == *client.peer.local_address.as_bytes())
            && filter.max_age_s.is_none_or(|age| age_s >= age)
            && !(filter.skip_me && client.id == call.id)
            // One that is on its way out was counted by whoever killed it.
            && !client.killed
    };
    let victims: Vec<_> = call
        .state
        .clients
        .iter()
        .filter(matches)
        .map(|client| client.id)
        .collect();
    for id in &victims {
        call.state.kill(call.db.keyspace(), *id, call.id);
    }
    call.reply.count(victims.len());
    Ok(())
}

fn kill_filter(call: &mut Call<'_>) -> Result<KillFilter, Fault> {
    let mut filter = KillFilter {
        skip_me: true,
        ..KillFilter::default()
    };
    while !call.args.is_empty() {
        if call.args.len() < 2 {
            return Err(Fault::SYNTAX);
        }
        let option = call
            .args
            .one_of(&["ID", "TYPE", "USER", "ADDR", "LADDR", "SKIPME", "MAXAGE"]);
        let value = call.args.next_bytes()?;
        match option.ok_or(Fault::SYNTAX)? {
            0 => {
                let id = parse_i64(value)
                    .filter(|id| *id > 0)
                    .ok_or(Fault::NO_SUCH_CLIENT_ID)?;
                filter.id = Some(id as u64);
            }
            1 => filter.class = Some(class_of(value)?),
            2 if value == b"default" => filter.user = Some(value.to_vec()),
            2 => return Err(Fault::no_such_user(value)),
            3 => filter.address = Some(value.to_vec()),
            4 => filter.local_address = Some(value.to_vec()),
            5 => {
                filter.skip_me = match value.to_ascii_lowercase().as_slice() {
                    b"yes" => true,
                    b"no" => false,
                    _ => return Err(Fault::SYNTAX),
                };
            }
            _ => {
                let age = parse_i64(value)
                    .filter(|age| *age > 0)
                    .ok_or(Fault::MAXAGE)?;
                filter.max_age_s = Some(age as u64);
            }
        }
    }
    Ok(filter)
}

fn client_reply(call: &mut Call<'_>) -> Outcome {
    let mode = call
        .args
        .one_of(&["ON", "OFF", "SKIP"])
        .ok_or(Fault::SYNTAX)?;
    let client = call.client_mut();
    match mode {
        0 => {
            client.reply_mode = ReplyMode::On;
            call.reply.ok();
        }
        1 => client.reply_mode = ReplyMode::Off,
        _ if client.reply_mode == ReplyMode::Off => {}
        _ => client.reply_mode = ReplyMode::SkipNext,
    }
    Ok(())
}

fn client_pause(call: &mut Call<'_>) -> Outcome {
    let timeout = call.args.next_bytes()?;
    let all = match call.args.one_of(&["WRITE", "ALL"]) {
        Some(which) => which == 1,
        None if call.args.is_empty() => true,
        None => return Err(Fault::PAUSE_MODE),
    };
    call.args.finish()?;
    let timeout = parse_i64(timeout).ok_or(Fault::TIMEOUT_NOT_INTEGER)?;
    let timeout = u64::try_from(timeout).map_err(|_| Fault::TIMEOUT_NEGATIVE)?;
    let until_us = call
        .now
        .monotonic_us
        .saturating_add(timeout.saturating_mul(1000));
    let old = call.state.pause;
    call.state.pause = Some(Pause {
        until_us: old.map_or(until_us, |old| old.until_us.max(until_us)),
        all: all || old.is_some_and(|old| old.all),
    });
    call.reply.ok();
    Ok(())
}

fn client_unpause(call: &mut Call<'_>) -> Outcome {
    call.state.unpause();
    call.reply.ok();
    Ok(())
}

fn client_unblock(call: &mut Call<'_>) -> Outcome {
    let number = call.args.next_i64()?;
    let error = match call.args.one_of(&["TIMEOUT", "ERROR"]) {
        Some(which) => which == 1,
        None if call.args.is_empty() => false,
        None => return Err(Fault::UNBLOCK_REASON),
    };
    let found = u64::try_from(number)
        .ok()
        .and_then(|number| call.state.clients.by_number(number));
    let id = found
        .filter(|client| client.waiting.is_some())
        .map(|client| client.id);
    if let Some(id) = id {
        call.state.give_up(id, error.then_some(&Fault::UNBLOCKED));
    }
    call.reply.flag(id.is_some());
    Ok(())
}

fn on_or_off(call: &mut Call<'_>) -> Result<bool, Fault> {
    call.args
        .one_of(&["OFF", "ON"])
        .map(|which| which == 1)
        .ok_or(Fault::SYNTAX)
}

fn client_no_evict(call: &mut Call<'_>) -> Outcome {
    let on = on_or_off(call)?;
    call.client_mut().no_evict = on;
    call.reply.ok();
    Ok(())
}

fn client_no_touch(call: &mut Call<'_>) -> Outcome {
    let on = on_or_off(call)?;
    call.client_mut().no_touch = on;
    call.reply.ok();
    Ok(())
}

fn client_help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}
