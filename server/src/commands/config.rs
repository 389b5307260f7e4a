//! CONFIG: reading and changing the configuration of the running server.

use std::path::Path;

use crate::command::{Call, Command};
use crate::config::Config;
use crate::fault::{Fault, Outcome};

pub(super) const COMMANDS: &[Command] = &[Command::container("CONFIG", CONFIG)
    .since("2.0.0")
    .summary("A container for commands on the configuration.")];

const CONFIG: &[Command] = &[
    subcommand("GET", "parameter [parameter ...]", get)
        .since("2.0.0")
        .complexity("O(N) where N is the number of parameters.")
        .summary("The values of parameters that match patterns."),
    subcommand("SET", "parameter value [parameter value ...]", set)
        .since("2.0.0")
        .complexity("O(N) where N is the number of parameters.")
        .tips("request_policy:all_nodes response_policy:all_succeeded")
        .summary("Sets parameters, all or none."),
    subcommand("RESETSTAT", "", resetstat)
        .since("2.0.0")
        .summary("Sets the counters of INFO to zero."),
    subcommand("REWRITE", "", rewrite)
        .since("2.8.0")
        .summary("Writes the configuration into the file it came from."),
    Command::new("HELP", "", help)
        .always()
        .since("5.0.0")
        .summary("Explains the subcommands."),
];

const fn subcommand(
    name: &'static str,
    usage: &'static str,
    handler: crate::command::Handler,
) -> Command {
    Command::new(name, usage, handler)
        .admin()
        .no_script()
        .always()
}

fn get(call: &mut Call<'_>) -> Outcome {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for pattern in call.args.remaining() {
        found.extend(call.state.config.matching(pattern));
    }
    found.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    found.dedup_by(|(one, _), (other, _)| one.eq_ignore_ascii_case(other));
    call.reply.map(found.len());
    for (name, value) in found {
        call.reply.bulk(name);
        call.reply.bulk(value);
    }
    Ok(())
}

fn set(call: &mut Call<'_>) -> Outcome {
    let arguments = call.args.remaining();
    if !arguments.len().is_multiple_of(2) {
        return Err(Fault::wrong_arity(&call.command.name));
    }
    let pairs = || arguments.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    for (index, (name, _)) in pairs().enumerate() {
        Config::may_set(name)
            .ok_or_else(|| Fault::config_unknown(name))?
            .map_err(|reason| Fault::config_failed(&String::from_utf8_lossy(name), reason))?;
        if pairs()
            .take(index)
            .any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
        {
            return Err(Fault::config_failed(
                &String::from_utf8_lossy(name),
                "duplicate parameter",
            ));
        }
    }
    // All or none: the new values are tried on a copy.
    let mut changed = call.state.config.clone();
    for (name, value) in pairs() {
        changed
            .set(name, value)
            .map_err(|error| Fault::config_failed(&error.name, &error.reason))?;
    }
    listen_anew(call, &changed)?;
    call.state.config = changed;
    call.state.apply_config(call.db.keyspace());
    call.reply.ok();
    Ok(())
}

/// Moves the listening sockets where a changed parameter says so; refused where nobody listens for this engine.
fn listen_anew(call: &mut Call<'_>, changed: &Config) -> Outcome {
    let config = &call.state.config;
    let moved = PLACES
        .iter()
        .find(|(name, _)| config.value(name) != changed.value(name));
    let Some((name, reason)) = moved else {
        return Ok(());
    };
    let listen = call.state.host.listen.as_ref();
    let followed = listen.map_or(Err(String::new()), |listen| listen.0(changed));
    followed.map_err(|error| {
        tracing::warn!("{error}");
        Fault::config_failed(name, reason)
    })
}

/// Parameters that say where to listen, with what is answered where that is impossible.
const PLACES: [(&str, &str); 4] = [
    ("port", NO_PORT),
    ("tls-port", NO_PORT),
    ("metrics-port", NO_PORT),
    ("bind", "Failed to bind to specified addresses."),
];

const NO_PORT: &str = "Unable to listen on this port. Check server logs.";

fn resetstat(call: &mut Call<'_>) -> Outcome {
    call.state.stats.reset();
    call.db.keyspace().stats = crate::keyspace::KeyspaceStats::default();
    call.reply.ok();
    Ok(())
}

fn rewrite(call: &mut Call<'_>) -> Outcome {
    let (config, host) = (&call.state.config, &call.state.host);
    let path = config.config_file.as_deref().ok_or(Fault::NO_CONFIG_FILE)?;
    let edit = host.edit_file.ok_or(Fault::NO_CONFIG_FILE)?;
    edit(Path::new(path), &|old| config.rewritten(old))
        .map_err(|error| Fault::rewrite_failed(&error.to_string()))?;
    call.reply.ok();
    Ok(())
}

fn help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}
