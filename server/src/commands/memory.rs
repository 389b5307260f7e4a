//! MEMORY: where memory goes.

use super::info::Memory;
use crate::command::{Call, Command};
use crate::fault::{Fault, Outcome};

pub(super) const COMMANDS: &[Command] = &[Command::container("MEMORY", MEMORY)
    .since("4.0.0")
    .summary("A container for commands on memory.")];

const MEMORY: &[Command] = &[
    Command::new("USAGE", "key [SAMPLES count]", usage)
        .reads()
        .key(2)
        .access("RO")
        .since("4.0.0")
        .complexity("O(1).")
        .summary("The bytes that a key and its value take."),
    subcommand("STATS", "", stats)
        .tips("nondeterministic_output request_policy:all_shards response_policy:special")
        .summary("Where memory goes, in numbers."),
    subcommand("DOCTOR", "", doctor)
        .tips("nondeterministic_output request_policy:all_shards response_policy:special")
        .summary("A report for people."),
    subcommand("PURGE", "", purge)
        .tips("request_policy:all_shards response_policy:all_succeeded")
        .summary("Asks the allocator to give memory back."),
    subcommand("MALLOC-STATS", "", malloc_stats)
        .tips("nondeterministic_output request_policy:all_shards response_policy:special")
        .summary("What the allocator tells of itself."),
    Command::new("HELP", "", help)
        .always()
        .since("4.0.0")
        .summary("Explains the subcommands."),
];

const fn subcommand(
    name: &'static str,
    usage: &'static str,
    handler: crate::command::Handler,
) -> Command {
    Command::new(name, usage, handler).since("4.0.0")
}

fn usage(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    while !call.args.is_empty() {
        // Every value knows its exact size, so the samples are checked and not needed.
        if call.args.len() < 2 || !call.args.keyword("SAMPLES") {
            return Err(Fault::SYNTAX);
        }
        call.args.next_i64_in(0.., Fault::SYNTAX)?;
    }
    match call.db.memory_usage(key) {
        Some(bytes) => call.reply.count(bytes),
        None => call.reply.null(),
    }
    Ok(())
}

fn stats(call: &mut Call<'_>) -> Outcome {
    let keyspace = call.db.keyspace();
    let memory = Memory::of(call.state, keyspace);
    let resident = call.state.host.usage.resident_bytes as i64;
    let (used, startup) = (memory.used as i64, memory.startup as i64);
    let databases: Vec<(usize, usize, usize)> = (0..keyspace.databases())
        .map(|index| {
            let (keys, expires, _) = keyspace.sizes(index);
            (index, keys, expires)
        })
        .filter(|(_, keys, _)| *keys > 0)
        .collect();
    let tables: Vec<(usize, usize)> = databases
        .iter()
        .map(|(index, ..)| keyspace.table_bytes(*index))
        .collect();
    let keys: usize = databases.iter().map(|(_, keys, _)| keys).sum();
    let percent = |part: i64, whole: i64| part as f64 * 100.0 / whole.max(1) as f64;
    let reply = &mut call.reply;
    let number = |reply: &mut crate::reply::Reply<'_>, name: &str, value: i64| {
        reply.bulk(name);
        reply.integer(value);
    };
    let ratio = |reply: &mut crate::reply::Reply<'_>, name: &str, value: f64| {
        reply.bulk(name);
        reply.double(value);
    };
    reply.map(27 + databases.len());
    number(reply, "peak.allocated", memory.peak as i64);
    number(reply, "total.allocated", used);
    number(reply, "startup.allocated", startup);
    number(reply, "replication.backlog", 0);
    number(reply, "clients.slaves", 0);
    number(reply, "clients.normal", call.state.clients_bytes as i64);
    number(reply, "cluster.links", 0);
    number(reply, "aof.buffer", 0);
    number(reply, "lua.caches", 0);
    number(reply, "functions.caches", 0);
    for ((index, ..), (main, expires)) in databases.iter().zip(tables) {
        reply.bulk(format!("db.{index}"));
        reply.map(2);
        number(reply, "overhead.hashtable.main", main as i64);
        number(reply, "overhead.hashtable.expires", expires as i64);
    }
    number(reply, "overhead.total", memory.overhead as i64);
    number(reply, "keys.count", keys as i64);
    let per_key = (used - startup) / (keys as i64).max(1);
    number(
        reply,
        "keys.bytes-per-key",
        if keys == 0 { 0 } else { per_key },
    );
    number(reply, "dataset.bytes", memory.dataset as i64);
    ratio(
        reply,
        "dataset.percentage",
        percent(memory.dataset as i64, used - startup),
    );
    ratio(reply, "peak.percentage", percent(used, memory.peak as i64));
    number(reply, "allocator.allocated", used);
    number(reply, "allocator.active", resident);
    number(reply, "allocator.resident", resident);
    let fragmentation = resident as f64 / used.max(1) as f64;
    ratio(reply, "allocator-fragmentation.ratio", fragmentation);
    number(reply, "allocator-fragmentation.bytes", resident - used);
    ratio(reply, "allocator-rss.ratio", 1.0);
    number(reply, "allocator-rss.bytes", 0);
    ratio(reply, "rss-overhead.ratio", 1.0);
    number(reply, "rss-overhead.bytes", 0);
    ratio(reply, "fragmentation", fragmentation);
    number(reply, "fragmentation.bytes", resident - used);
    Ok(())
}

/// Below this nothing can be said.
const TOO_LITTLE_BYTES: u64 = 5 * 1024 * 1024;

fn doctor(call: &mut Call<'_>) -> Outcome {
    let memory = Memory::of(call.state, call.db.keyspace());
    let resident = call.state.host.usage.resident_bytes;
    let mut findings = Vec::new();
    if memory.peak > memory.used * 3 / 2 {
        findings.push(
            "The peak of memory use was more than half as much again as what is used now. What was given back may \
             stay with the process, so that it looks larger than its data.",
        );
    }
    if resident > memory.used * 14 / 10 && resident - memory.used > 10 * 1024 * 1024 {
        findings.push(
            "The process takes much more of the machine's memory than it uses: memory is fragmented, or it was \
             larger before.",
        );
    }
    if call.state.clients_bytes as u64 > 1024 * 1024 * call.state.clients.len().max(1) as u64 / 5 {
        findings.push(
            "Clients take more than 200 KB each on average: some read their replies too slowly, or send very large \
             requests. See omem and qbuf of CLIENT LIST.",
        );
    }
    let mut text = if memory.used < TOO_LITTLE_BYTES {
        "The server uses too little memory for a report; ask again with data in it.\n".to_owned()
    } else if findings.is_empty() {
        "Nothing unusual about this server's memory.\n".to_owned()
    } else {
        "Found in this server's memory:\n".to_owned()
    };
    if memory.used >= TOO_LITTLE_BYTES {
        for finding in findings {
            text.push_str(" * ");
            text.push_str(finding);
            text.push('\n');
        }
    }
    call.reply.verbatim(text);
    Ok(())
}

fn purge(call: &mut Call<'_>) -> Outcome {
    call.reply.ok();
    Ok(())
}

fn malloc_stats(call: &mut Call<'_>) -> Outcome {
    call.reply
        .verbatim("The allocator's own statistics can't be shown here.");
    Ok(())
}

fn help(call: &mut Call<'_>) -> Outcome {
    call.help();
    Ok(())
}
