//! CLUSTER and what belongs to it: refused, as by a Redis that is no part of a cluster.

use crate::command::{Call, Command, Flags, Handler};
use crate::fault::{Fault, Outcome};

pub(super) const CLUSTER: &[Command] = &[Command::container("CLUSTER", SUBCOMMANDS)
    .since("3.0.0")
    .summary("A container for commands on a cluster.")];

pub(super) const CONNECTION: &[Command] = &[
    Command::new("READONLY", "", refuse)
        .fast()
        .always()
        .since("3.0.0")
        .summary("Lets a connection read from a replica in a cluster."),
    Command::new("READWRITE", "", refuse)
        .fast()
        .always()
        .since("3.0.0")
        .summary("Takes READONLY back."),
    Command::new("ASKING", "", refuse)
        .fast()
        .since("3.0.0")
        .summary("Asks a cluster's node for a slot that is on its way to it."),
];

const SUBCOMMANDS: &[Command] = &[
    subcommand("COUNTKEYSINSLOT", "slot", refuse).summary("How many keys a slot holds."),
    subcommand("GETKEYSINSLOT", "slot count", refuse)
        .tips("nondeterministic_output")
        .summary("Keys of a slot."),
    subcommand("INFO", "", refuse)
        .tips("nondeterministic_output")
        .summary("The state of the cluster."),
    subcommand("KEYSLOT", "key=string", refuse).summary("The slot of a key."),
    subcommand("MYID", "", refuse).summary("This node's name."),
    subcommand("NODES", "", refuse)
        .tips("nondeterministic_output")
        .summary("The nodes of the cluster."),
    subcommand("SHARDS", "", refuse)
        .since("7.0.0")
        .tips("nondeterministic_output")
        .summary("The shards of the cluster."),
    subcommand("SLOTS", "", refuse)
        .tips("nondeterministic_output")
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .summary("Which nodes hold which slots."),
    subcommand("HELP", "", refuse)
        .flags(Flags::LOADING)
        .since("5.0.0")
        .summary("Explains the subcommands."),
];

const fn subcommand(name: &'static str, usage: &'static str, handler: Handler) -> Command {
    Command::new(name, usage, handler)
        .flags(Flags::STALE)
        .since("3.0.0")
}

fn refuse(_: &mut Call<'_>) -> Outcome {
    Err(Fault::new("ERR This instance has cluster support disabled"))
}
