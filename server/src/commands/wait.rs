//! WAIT: until replicas have what the client wrote. Without replicas that is until its time is over.

use crate::args::parse_i64;
use crate::command::{Call, Command, Flags};
use crate::fault::{Fault, Outcome};
use crate::keyspace::Kind;

pub(super) const COMMANDS: &[Command] =
    &[Command::new("WAIT", "numreplicas timeout=integer", wait)
        .flags(Flags::NO_SCRIPT)
        .since("3.0.0")
        .tips("request_policy:all_shards response_policy:agg_min")
        .summary("Waits until so many replicas have every write of this client.")];

fn wait(call: &mut Call<'_>) -> Outcome {
    let wanted = call.args.next_i64()?;
    let timeout_ms = parse_i64(call.args.next_bytes()?).ok_or(Fault::TIMEOUT_NOT_INTEGER)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| Fault::TIMEOUT_NEGATIVE)?;
    if wanted <= 0 || !call.may_block() {
        call.reply.integer(0);
        return Ok(());
    }
    call.block(
        &[],
        Kind::String,
        Some(timeout_ms).filter(|timeout| *timeout > 0),
    );
    Ok(())
}
