//! Commands on the server itself: its time, its role, its end.

use crate::command::{Call, Command, Flags};
use crate::fault::{Fault, Outcome};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("TIME", "", time)
        .fast()
        .always()
        .since("2.6.0")
        .tips("nondeterministic_output")
        .summary("The server's time: unix seconds, and microseconds."),
    Command::new("LASTSAVE", "", lastsave)
        .fast()
        .always()
        .categories(&["admin", "dangerous"])
        .tips("nondeterministic_output")
        .summary("When the data was saved last, in unix seconds."),
    Command::new("ROLE", "", role)
        .fast()
        .always()
        .no_script()
        .categories(&["admin", "dangerous"])
        .since("2.8.12")
        .summary("The server's part in replication."),
    Command::new("LOLWUT", "[VERSION version]", lolwut)
        .reads()
        .fast()
        .arity(-1)
        .since("5.0.0")
        .summary("The version, as art."),
    Command::new("MONITOR", "", monitor)
        .admin()
        .no_script()
        .always()
        .summary("Shows every command from now on."),
    Command::new(
        "SHUTDOWN",
        "[NOSAVE | SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0",
        shutdown,
    )
    .admin()
    .no_script()
    .always()
    .flags(Flags::NO_MULTI.and(Flags::ALLOW_BUSY))
    .complexity(
        "O(N) when saving, where N is the total number of keys in all databases when saving data, \
                     otherwise O(1)",
    )
    .summary("Ends the server."),
];

fn time(call: &mut Call<'_>) -> Outcome {
    let now = call.now.unix_us;
    call.reply.array(2);
    call.reply.bulk_integer(now.div_euclid(1_000_000));
    call.reply.bulk_integer(now.rem_euclid(1_000_000));
    Ok(())
}

/// Nothing is saved yet: as in Redis, the start of the server counts as a save.
fn lastsave(call: &mut Call<'_>) -> Outcome {
    let started = call.state.started.unix_s();
    call.reply.integer(started);
    Ok(())
}

fn role(call: &mut Call<'_>) -> Outcome {
    call.reply.array(3);
    call.reply.bulk("master");
    call.reply.integer(0);
    call.reply.array(0);
    Ok(())
}

fn lolwut(call: &mut Call<'_>) -> Outcome {
    if call.args.len() > 1 && call.args.keyword("VERSION") {
        call.args.next_i64()?;
    }
    call.reply
        .verbatim(format!("Redis ver. {}\n", crate::REDIS_VERSION));
    Ok(())
}

fn monitor(call: &mut Call<'_>) -> Outcome {
    if !call.may_block() {
        return Err(Fault::MONITOR_DENIED);
    }
    call.state.set_monitor(call.id, true);
    call.reply.ok();
    Ok(())
}

fn shutdown(call: &mut Call<'_>) -> Outcome {
    let (mut abort, mut save, mut others) = (false, None, false);
    while !call.args.is_empty() {
        match call
            .args
            .one_of(&["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"])
            .ok_or(Fault::SYNTAX)?
        {
            choice @ 0..=1 if save.is_some_and(|chosen| chosen != choice) => {
                return Err(Fault::SYNTAX);
            }
            choice @ 0..=1 => save = Some(choice),
            4 => abort = true,
            _ => others = true,
        }
    }
    if abort && (save.is_some() || others) {
        return Err(Fault::SYNTAX);
    }
    if abort {
        return Err(Fault::NO_SHUTDOWN);
    }
    call.state.shutdown = true;
    Ok(())
}
